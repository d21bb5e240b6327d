import { expect, test } from "vitest";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { unwrap } from "#snapshots/problem.ts";
import { cassandraSchema, elasticsearchSchema, kafkaSchema } from "../connections.ts";
import { UNRUN_RELEASE, until } from "../fixture.ts";
import type { SinkChoice } from "../pipeline-spec.ts";
import { openFrozenServer } from "./frozen-server.ts";
import { openServerSinks } from "./open-servers.ts";
import { contractOf } from "./sink-plan.ts";

test.concurrent.each<{ sink: SinkChoice }>([
  { sink: "table" },
  { sink: "search" },
  { sink: { topic: "derived" } },
])(
  "$sink is not waited for once nobody wants it prepared, and leaves no connection",
  async (given) => {
    const frozen = await openFrozenServer();
    const address = `127.0.0.1:${frozen.port}`;
    const where = {
      kind: "servers" as const,
      kafka: kafkaSchema.parse({ brokers: [address] }),
      cassandra: cassandraSchema.parse({
        contactPoints: [address],
        localDataCenter: "datacenter1",
        keyspace: "penstock",
      }),
      elasticsearch: elasticsearchSchema.parse({ nodes: [`http://${address}`] }),
    };
    const spec = {
      ...UNRUN_RELEASE,
      environment: "production",
      name: "delays",
      topic: "flights",
      stream: PLAIN_STREAM,
      sinks: [given.sink],
      where,
    };
    const [sink] = unwrap(await openServerSinks(spec, where, { root: ".", variables: {} }));
    const stopping = new AbortController();
    const prepared = sink?.prepare(unwrap(contractOf(spec)), stopping.signal);
    await until("it is asked", () => frozen.connections() > 0);
    stopping.abort();
    expect(await prepared).toMatchObject({ code: "stopped" });
    await sink?.close();
    await until("nothing is left", () => frozen.open() === 0);
    frozen.close();
  },
);
