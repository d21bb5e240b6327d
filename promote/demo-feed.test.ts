import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openWorkspace } from "#snapshots/workspace.ts";
import { openDemoFeeds } from "./demo-feed.ts";
import { environmentSchema } from "./environment-schema.ts";
import { openFrozenServer } from "./sync/open/frozen-server.ts";

afterEach(() => vi.useRealTimers());

test("a feed that stops waits for no broker that has not answered, and leaves no connection", async () => {
  // By this clock no request ever takes too long.
  vi.useFakeTimers({ toFake: ["Date"] });
  const frozen = await openFrozenServer();
  const root = mkdtempSync(join(tmpdir(), "penstock-feed-"));
  writeFileSync(join(root, "penstock.yaml"), "name: fed\n");
  writeFileSync(
    join(root, "demo-feed.yaml"),
    "topic: flights\npath: flights.parquet\nfrom: 2001-04-01\n",
  );
  // It is looked into once the topic is open.
  writeFileSync(join(root, "flights.parquet"), "");
  const kafka = { brokers: [`127.0.0.1:${frozen.port}`] };
  const production = environmentSchema.parse({ kind: "servers", kafka });
  const feeds = openDemoFeeds(unwrap(openWorkspace(root)), {});
  feeds.follow([{ name: "production", ...production }]);
  await expect.poll(() => frozen.connections()).toBeGreaterThan(0);
  await feeds.stop();
  await expect.poll(() => frozen.open()).toBe(0);
  frozen.close();
  rmSync(root, { recursive: true });
});
