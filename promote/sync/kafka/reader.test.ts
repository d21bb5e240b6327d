import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { kafkaSchema } from "../connections.ts";
import { until } from "../fixture.ts";
import { openFrozenServer } from "../open/frozen-server.ts";
import type { Patience } from "../ports.ts";
import { EARLIEST } from "./list-offsets.ts";
import type { KafkaClient } from "./client.ts";
import { openKafkaReader, readerOver } from "./reader.ts";

const at = (port: number, patience: Patience) =>
  unwrap(
    openKafkaReader(
      kafkaSchema.parse({ brokers: [`127.0.0.1:${port}`] }),
      { root: ".", variables: {} },
      patience,
    ),
  );

test("a reader whose patience ends says what it waited for", async () => {
  const frozen = await openFrozenServer();
  const away = await openFrozenServer();
  away.close();
  const cases = [
    { port: away.port, said: /asking how far topic t reaches failed: .*ECONNREFUSED/ },
    { port: frozen.port, said: /asking how far topic t reaches failed: no broker answers/ },
  ];
  for (const { port, said } of cases) {
    const reader = at(port, { ms: 1500 });
    const problem = { code: "kafka-unavailable", message: expect.stringMatching(said) as string };
    await expect(reader.ranges("t")).rejects.toMatchObject({ problem });
    await reader.close();
  }
  frozen.close();
});

test("a reader stops waiting for a broker that never answers as soon as its signal is aborted", async () => {
  const frozen = await openFrozenServer();
  const waiting = new AbortController();
  const reader = at(frozen.port, { signal: waiting.signal });
  const asked = reader.incarnation("t").catch((cause: unknown) => cause);
  await until("it is asked", () => frozen.connections() > 0);
  waiting.abort();
  expect(await asked).toMatchObject({ problem: { code: "stopped" } });
  await reader.close();
  frozen.close();
});

/** A cluster of one topic with records 3 to 6 in each partition, whose leaders are these. */
function clusterOf(leaders: () => number[]): KafkaClient {
  const broker = {
    versions: { 3: { maxVersion: 12 } },
    listOffsets: async ({ topics }: { topics: { topic: string; partitions: Asked[] }[] }) => ({
      responses: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, timestamp }) => ({
          partition,
          offset: timestamp === EARLIEST ? "3" : "7",
        })),
      })),
    }),
  };
  const client = {
    anyNode: async () => broker,
    node: async () => broker,
    close: async () => undefined,
    send: async () => {
      const partitions = leaders().map((leader, partition) => ({ partition, leader }));
      return { topics: new Map([["t", { name: "t", id: "1", partitions }]]), forbidden: [] };
    },
  };
  // Nothing else of a client is used to ask for ranges.
  return client as unknown as KafkaClient;
}
type Asked = { partition: number; timestamp: number };

test("a partition without a leader is waited for, not taken for an empty one", async () => {
  const rounds = [
    [1, -1],
    [1, -1],
    [1, 1],
  ];
  const reader = readerOver(clusterOf(() => rounds.shift() ?? [1, 1]));
  const range = { topic: "t", first: 3, end: 7 };
  expect(await reader.ranges("t")).toEqual([
    { ...range, partition: 0 },
    { ...range, partition: 1 },
  ]);
  expect(rounds).toEqual([]);
  const away = readerOver(
    clusterOf(() => [1, -1]),
    { ms: 500 },
  );
  await expect(away.ranges("t")).rejects.toMatchObject({
    problem: { code: "kafka-unavailable", message: expect.stringContaining("t/1: LEADER") },
  });
  await expect(away.offsetAt("t", 1, 0)).rejects.toMatchObject({
    problem: { code: "kafka-unavailable" },
  });
});
