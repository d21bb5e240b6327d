import { afterEach, beforeEach, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { elasticsearchSchema, kafkaSchema } from "../connections.ts";
import { freshPlace, specOf, until, type FixturePlace, type SpecOptions } from "../fixture.ts";
import { openFrozenServer, type FrozenServer } from "../open/frozen-server.ts";
import { setPaused } from "../order/progress.ts";
import { openSyncState } from "../state.ts";
import { openSync, type PipelineSpec, type Sync } from "../sync.ts";
import { livingReports, type WorkerReport } from "./workers.ts";

let place: FixturePlace;
let sync: Sync;
let kafka: FrozenServer;
let elasticsearch: FrozenServer;
beforeEach(async () => {
  place = freshPlace();
  sync = openSync(place);
  kafka = await openFrozenServer();
  elasticsearch = await openFrozenServer();
});
afterEach(async () => {
  kafka.close();
  elasticsearch.close();
  await sync.close();
  place.remove();
});

test("beside servers that never answer, a worker goes on reporting and obeys a pause asked in the state database", async () => {
  const spec = await onFrozenServers();
  const state = openSyncState(place.statePath);
  /** Throws where it is taken for gone. */
  const worker = (): WorkerReport => {
    const [report] = livingReports(state, Date.now());
    if (report === undefined) throw new Error("the worker is taken for gone");
    return report;
  };
  unwrap(await sync.start(spec));
  await until("it is asked for", () => kafka.connections() > 0);
  await until("it reports", () => livingReports(state, Date.now()).length > 0);
  setPaused(state, spec, true);
  await until("it is paused", () => worker().state === "paused");
  setPaused(state, spec, false);
  await until("it goes on", () => worker().state === "running");
  expect(worker()).toMatchObject({ name: spec.name, worker: sync.reports()[0]?.worker });
  state.close();
});

test("who looks at servers that never answer is let go as soon as nobody waits for it", async () => {
  const spec = await onFrozenServers({ sinks: [] });
  const looks = [
    (signal: AbortSignal) => sync.backfill(spec, signal),
    (signal: AbortSignal) => sync.verify(spec, { signal, onProgress: () => undefined }),
  ];
  for (const look of looks) {
    const waiting = new AbortController();
    const before = kafka.connections();
    const looked = look(waiting.signal);
    await until("it is asked", () => kafka.connections() > before);
    waiting.abort();
    expect(await looked).toMatchObject({ ok: false, problem: { code: "stopped" } });
  }
});

async function onFrozenServers(options: SpecOptions = {}): Promise<PipelineSpec> {
  return specOf(place, {
    where: {
      kind: "servers",
      kafka: kafkaSchema.parse({ brokers: [`127.0.0.1:${kafka.port}`] }),
      elasticsearch: elasticsearchSchema.parse({
        nodes: [`http://127.0.0.1:${elasticsearch.port}`],
      }),
    },
    sinks: ["search"],
    ...options,
  });
}
