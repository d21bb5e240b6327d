import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { until } from "../fixture.ts";
import { feedTopic, startDemoFeed } from "./demo-feed.ts";
import { openFlights } from "./demo-flights.ts";
import { BLOCK, FLIGHTS_PER_BLOCK, planRecord, REACH } from "./demo-plan.ts";
import { openFileTopicReader } from "./file-reader.ts";
import { openFileLogReader } from "./log-reader.ts";

const parquet = join(
  import.meta.dirname,
  "../../../node_modules/vega-datasets/data/flights-3m.parquet",
);
const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0))
    rmSync(directory, { recursive: true, force: true });
});

function freshTopic(): string {
  const directory = mkdtempSync(join(tmpdir(), "penstock-feed-"));
  directories.push(directory);
  return join(directory, "flights");
}

test("the plan tells every flight once on time or late, and a mix of what a live stream brings", () => {
  const blocks = 200;
  const first = new Map<number, number>();
  const kinds = new Map<string, number>();
  let broken = 0;
  for (let n = 0; n < blocks * BLOCK; n++) {
    const plan = planRecord(7, n);
    kinds.set(plan.kind, (kinds.get(plan.kind) ?? 0) + 1);
    if (plan.kind !== "cancellation" && plan.isBroken) broken++;
    if (plan.kind === "flight" || plan.kind === "late")
      first.set(plan.flight, first.get(plan.flight) ?? n);
    const newest = (Math.floor(n / BLOCK) + 1) * FLIGHTS_PER_BLOCK;
    expect(plan.flight).toBeLessThan(newest);
    expect(plan.flight).toBeGreaterThanOrEqual(newest - REACH - 20 * BLOCK);
  }
  const told = (blocks - 5) * FLIGHTS_PER_BLOCK;
  for (let flight = 0; flight < told; flight++)
    expect(first.has(flight), `flight ${flight}`).toBe(true);
  expect(kinds.get("late")).toBeGreaterThan(300);
  expect(kinds.get("correction")).toBeGreaterThan(600);
  expect(kinds.get("cancellation")).toBeGreaterThan(300);
  expect(broken).toBeGreaterThan(0);
  expect(broken).toBeLessThan(20);
});

test(
  "a feed killed at any moment goes on, and the topic is what one feed would have written",
  { timeout: 180_000 },
  async () => {
    const killed = freshTopic();
    const module = join(import.meta.dirname, "demo-feed.ts");
    for (let kill = 0; kill < 4; kill++) {
      const script = `import { feedTopic, startDemoFeed } from ${JSON.stringify(module)};
      const feed = await startDemoFeed(${JSON.stringify({ topic: killed, parquet, recordsPerSecond: 20_000 })});
      if (!feed.ok) throw new Error(feed.problem.message);`;
      const process_ = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const wanted = (await endOf(killed)) + 500 + kill * 777;
      await until("records of the feed", async () => (await endOf(killed)) > wanted);
      process_.kill("SIGKILL");
      await once(process_, "exit");
    }
    const limit = (await endOf(killed)) + 1000;
    const last = unwrap(
      await startDemoFeed({ topic: killed, parquet, recordsPerSecond: 50_000, limit }),
    );
    await last.done;
    const whole = freshTopic();
    const once_ = unwrap(
      await startDemoFeed({ topic: whole, parquet, recordsPerSecond: 50_000, limit }),
    );
    await once_.done;
    expect(once_.problem()).toBeUndefined();
    const [a, b] = [await contents(killed), await contents(whole)];
    expect(a.length).toBe(limit);
    expect(a).toEqual(b);
  },
);

test("a feed that stops waits for no record that its topic has not taken", async () => {
  const appending = Promise.withResolvers<void>();
  const closed = vi.fn<() => Promise<void>>(async () => undefined);
  const silent = {
    end: () => 0,
    append() {
      appending.resolve();
      return new Promise<never>(() => undefined);
    },
    close: closed,
  };
  const feed = feedTopic(silent, { parquet });
  await appending.promise;
  await feed.stop();
  expect(closed).toHaveBeenCalledOnce();
});

test("ids are row numbers of the file, from the snapshot's end on, and the feed ends with the flights", async () => {
  const flights = await openFlights(parquet, "2001-04-01");
  const found = await flights.get([0, flights.total - 1, flights.total]);
  expect(found.get(0)).toMatchObject({
    id: 1_477_911,
    date: expect.stringMatching(/^2001-04-01T/),
  });
  expect(found.get(flights.total - 1)?.id).toBe(2_999_999);
  expect(found.has(flights.total)).toBe(false);
  flights.close();
});

async function endOf(topic: string): Promise<number> {
  const reader = openFileLogReader(topic, 0);
  const { end } = await reader.range();
  await reader.close();
  return end;
}

async function contents(topic: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const records of openFileTopicReader(dirname(topic)).read(
    basename(topic),
    0,
    0,
    Infinity,
  )) {
    for (const { key, value } of records)
      texts.push(
        `${Buffer.from(key ?? []).toString()} ${value === null ? null : Buffer.from(value).toString()}`,
      );
  }
  return texts;
}
