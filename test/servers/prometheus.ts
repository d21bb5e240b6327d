import { z } from "zod";
import { targetsFolder } from "../../deploy/stack/promtool.mjs";
import { servers } from "./addresses.ts";

const sample = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
});
const answer = z.union([
  z.object({ status: z.literal("success"), data: z.object({ result: z.array(sample) }) }),
  z.object({ status: z.literal("error"), error: z.string() }),
]);
const rules = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        name: z.string(),
        rules: z.array(
          z.object({
            name: z.string(),
            query: z.string(),
            health: z.enum(["ok", "unknown", "err"]),
            lastError: z.string().optional(),
          }),
        ),
      }),
    ),
  }),
});

export type Sample = { labels: Record<string, string>; value: number };

/** Why Prometheus cannot be told what to scrape; undefined when it can. */
export async function whyNoPrometheus(): Promise<string | undefined> {
  if (servers.prometheus === undefined) return "there is no Prometheus (see docs/stack.md)";
  if (targetsFolder() === undefined) return "the Prometheus that was given is not ours to tell";
  const isReady = await ask("/-/ready").then(
    ({ ok }) => ok,
    () => false,
  );
  return isReady ? undefined : `Prometheus at ${servers.prometheus} does not answer`;
}

/** What a query gives now, or what Prometheus has against it. NaN, which is what a rate of nothing comes to, is left out. */
export async function query(text: string): Promise<Sample[] | { error: string }> {
  const response = await ask(`/api/v1/query?${new URLSearchParams({ query: text }).toString()}`);
  const parsed = answer.parse(await response.json());
  if (parsed.status === "error") return { error: parsed.error };
  return parsed.data.result
    .map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    .filter(({ value }) => !Number.isNaN(value));
}

/** Reads its settings and rules again. */
export async function reload(): Promise<void> {
  const response = await ask("/-/reload", { method: "POST" });
  if (!response.ok) throw new Error(`Prometheus: ${await response.text()}`);
}

/** The rules of a group, as they were loaded and last went. */
export async function rulesOf(group: string) {
  const { data } = rules.parse(await (await ask("/api/v1/rules")).json());
  return data.groups.filter(({ name }) => name === group).flatMap((each) => each.rules);
}

function ask(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://${servers.prometheus}${path}`, init);
}
