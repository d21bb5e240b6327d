import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, expect as expectOfPlaywright, type Page } from "@playwright/test";
import { afterAll, afterEach, expect, test } from "vitest";
import { git } from "#promote/git.ts";
import { openState } from "#promote/state.ts";
import { until } from "#promote/sync/fixture.ts";
import type { KafkaRecord } from "#promote/sync/kafka/producer.ts";
import { unwrap } from "#snapshots/problem.ts";
import { edit, tinyWorkspace } from "#web/api/tiny-workspace.ts";
import { serve, type Served } from "#web/server/serve.ts";
import { ELASTICSEARCH, scratchIndex } from "./elasticsearch-scratch.ts";
import { append, closeFixture, CONNECTION, freshTopic } from "./kafka-fixture.ts";

const expectPage = expectOfPlaywright.configure({ timeout: 30_000 });
const AUTHOR = { name: "Ada", email: "ada@example.org" };
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.toReversed()) await end();
});
afterAll(closeFixture);

test(
  "the pipeline's page shows its indices, turns readers to one and deletes another; both are audited",
  { timeout: 300_000 },
  async () => {
    const index = await scratchIndex();
    ends.push(() => index.remove());
    const topic = await freshTopic();
    const environment = `page-${randomBytes(4).toString("hex")}`;
    const tiny = await tinyWorkspace();
    ends.push(() => tiny.remove());
    edit(tiny.dir, "sources/trips.yaml", "topic: trips", `topic: ${topic}`);
    await commit(tiny.dir, "sources/trips.yaml");
    const served = unwrap(
      await serve({
        workspace: tiny.dir,
        port: 0,
        isPortExplicit: true,
        openBrowser: false,
        say: () => undefined,
      }),
    );
    ends.push(() => served.close());
    const at = `/pipelines/${environment}/slow`;

    await ask(served, "/snapshots", { source: "trips", label: "one" });
    const file = `environments/${environment}.yaml`;
    const { prefix } = index.options.connection;
    const text = `kind: servers
kafka: { brokers: ["${CONNECTION.brokers[0]}"] }
elasticsearch: { nodes: ["${ELASTICSEARCH}"], prefix: "${prefix}", replicas: 0 }
pipelines: { slow: { release: ${await built()}, topic: ${topic}, sinks: [search] } }
`;
    writeFileSync(join(tiny.dir, file), text);
    await commit(tiny.dir, file);
    await append(topic, [trip(1), trip(2), trip(3)]);
    await until("the first index has its rows", async () => (await listed())[0]?.rows === 3);
    edit(tiny.dir, "notebooks/slow.ts", "?? 0) > 30", '?? 0) > 30 ? "slow" : "quick"');
    edit(tiny.dir, "notebooks/slow.ts", "row.isSlow ? 1 : 0", 'row.isSlow === "slow" ? 1 : 0');
    const asked = { transform: "slow", release: await built() };
    await ask(served, `/environments/${environment}/promote`, asked);
    await append(topic, [trip(4)]);
    await until("the second index has its row", async () => (await listed())[0]?.rows === 1);
    expect(await listed()).toMatchObject([
      { generation: 2, rows: 1, isRead: false, isWritten: true },
      { generation: 1, rows: 3, isRead: true, isWritten: false },
    ]);
    for (const [generation, code] of ["generation-read", "generation-written"].entries())
      expect(
        await ask(served, `${at}/generations`, { act: "drop", generation: generation + 1 }),
      ).toMatchObject({ problem: { code } });

    const page = await opened(served);
    await page.goto(`${new URL(served.url).origin}/pipelines?at=${environment}/slow`);
    await page.getByRole("button", { name: "See its indices" }).click();
    const rows = page.getByRole("region", { name: "Indices in Elasticsearch" }).getByRole("row");
    await expectPage(rows.nth(1)).toContainText(/-000002\s*1\s*do not see it\s*writes to it/);
    await expectPage(rows.nth(2)).toContainText(/-000001\s*3\s*read it\s*leaves it as it is/);
    await expectPage(page.getByRole("button", { name: /^Delete/ })).toHaveCount(0);
    await page.getByRole("button", { name: /^Turn readers to .*-000002…/ }).click();
    const question = page.getByRole("dialog");
    await expectPage(question).toContainText("1 row instead of 3.");
    await question.getByRole("button", { name: "Turn readers" }).click();
    await expectPage(rows.nth(1)).toContainText(/-000002\s*1\s*read it\s*writes to it/);
    await page.getByRole("button", { name: /^Delete .*-000001…/ }).click();
    await expectPage(question).toContainText("Its 3 rows are gone for good.");
    await question.getByRole("button", { name: "Delete the index" }).click();
    await expectPage(page.getByText("-000001 was deleted.")).toBeVisible();
    await expectPage(rows).toHaveCount(2);
    expect(await listed()).toMatchObject([
      { generation: 2, rows: 1, isRead: true, isWritten: true },
    ]);
    await expectPage(page.getByText("Readers of search are behind.")).toHaveCount(0);

    await served.close();
    const state = openState(join(tiny.dir, ".penstock/state.db"));
    const audited = state.auditRows({ environment, transform: "slow", limit: 2 });
    state.close();
    expect(audited).toMatchObject([
      { action: "drop-generation", details: { generation: 1 } },
      { action: "read-generation", details: { generation: 2 } },
    ]);

    async function listed(): Promise<Listed[]> {
      await index.refresh();
      const { generations } = await ask(served, `${at}/generations`);
      return (generations ?? []) as Listed[]; // as web/api/generations.ts answers
    }

    async function built(): Promise<string> {
      const chosen = { notebook: "slow", transform: "slow", message: "Next" };
      const release = await ask(served, "/releases", chosen);
      return String(release["hash"]);
    }
  },
);

type Listed = { generation: number; rows: number; isRead: boolean; isWritten: boolean };

function trip(id: number): KafkaRecord {
  const value = JSON.stringify({ id, city: "Oslo", minutes: 20 * id });
  return { key: Buffer.from(String(id)), value: Buffer.from(value), timestampMs: Date.now() };
}

async function commit(dir: string, path: string): Promise<void> {
  const files = { [path]: readFileSync(join(dir, path), "utf8") };
  unwrap(await git(dir).commitFiles({ files, message: `Set ${path}`, author: AUTHOR }));
}

/** What an address answers; of long work, what it ended with. */
async function ask(
  { url, port }: Served,
  path: string,
  json?: object,
): Promise<Record<string, unknown>> {
  const token = new URL(url).searchParams.get("token") ?? "";
  const response = await fetch(`http://127.0.0.1:${port}/api${path}`, {
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { method: "POST", body: JSON.stringify(json) }),
  });
  const last = (await response.text()).trimEnd().split("\n").at(-1) ?? "";
  const answer = JSON.parse(last) as Record<string, unknown>;
  return answer["type"] === "done" ? (answer["value"] as Record<string, unknown>) : answer;
}

/** A page of a real browser that has come in by the printed address. */
async function opened({ url }: Served): Promise<Page> {
  const browser = await chromium.launch({
    executablePath: process.env["PENSTOCK_CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  ends.push(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url);
  return page;
}
