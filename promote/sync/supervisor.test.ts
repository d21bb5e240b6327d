import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { elasticsearchSchema, kafkaSchema } from "./connections.ts";
import { freshPlace, specOf, until, type FixturePlace } from "./fixture.ts";
import { setPaused } from "./progress.ts";
import { openSyncState } from "./state.ts";
import { openSync, type PipelineSpec, type Sync } from "./sync.ts";
import { livingReports, type WorkerReport } from "./workers.ts";

/** Takes connections and never answers, as a stopped process does. */
type Frozen = { port: number; connections(): number; close(): void };

let place: FixturePlace;
let sync: Sync;
let kafka: Frozen;
let elasticsearch: Frozen;
beforeEach(async () => {
  place = freshPlace();
  sync = openSync(place);
  kafka = await frozenServer();
  elasticsearch = await frozenServer();
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
  state.close();
});

async function onFrozenServers(): Promise<PipelineSpec> {
  return specOf(place, {
    where: {
      kind: "servers",
      kafka: kafkaSchema.parse({ brokers: [`127.0.0.1:${kafka.port}`] }),
      elasticsearch: elasticsearchSchema.parse({
        nodes: [`http://127.0.0.1:${elasticsearch.port}`],
      }),
    },
    sinks: ["search"],
  });
}

async function frozenServer(): Promise<Frozen> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    sockets.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    connections: () => sockets.length,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
