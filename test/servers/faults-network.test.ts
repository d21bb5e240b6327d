import { afterEach, expect, test } from "vitest";
import { collect, until } from "#promote/sync/fixture.ts";
import { openKafkaReader } from "#promote/sync/kafka/reader.ts";
import { unwrap } from "#snapshots/problem.ts";
import { servers } from "./addresses.ts";
import { expectSameAsBatch } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED, type Addresses, type Stage } from "./faults/stage.ts";
import { openTcpProxy, type TcpProxy } from "./faults/tcp-fault-proxy.ts";
import { openFaultProxy } from "./http-fault-proxy.ts";

const RECORDS = 20_000;
const PARTITIONS = 3;
/** How far the topic is ahead of what is committed. */
const AHEAD = 1000;

let stage: Stage;
/** Closed after a test that fails, too: the next try wants their ports. */
const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await stage.remove();
  for (const proxy of opened.splice(0)) await proxy.close();
});

const { kafkaProxied } = servers;

test.skipIf(kafkaProxied === undefined)(
  "connections cut, delayed and truncated on the way to Kafka, Cassandra and Elasticsearch: the sinks equal a batch run",
  { timeout: 900_000, retry: 0 },
  async () => {
    const random = seeded(SEED);
    const port = Number(kafkaProxied?.split(":")[1]) + 1;
    const proxies: Record<keyof Addresses, TcpProxy> = {
      kafka: await openTcpProxy(kafkaProxied ?? "", random, port),
      cassandra: await openTcpProxy(servers.cassandra, random),
      elasticsearch: await openTcpProxy(servers.elasticsearch, random),
    };
    opened.push(...Object.values(proxies));
    stage = await openStage(PARTITIONS, {
      kafka: proxies.kafka.address,
      cassandra: proxies.cassandra.address,
      elasticsearch: proxies.elasticsearch.address,
    });
    const { records, broken } = flightsOf(random, {
      count: RECORDS,
      partitions: PARTITIONS,
      startMs: Date.now(),
      broken: 0.001,
    });
    const spec = await stage.spec();
    const worker = stage.worker();
    await worker.start(spec);
    await stage.send(records.slice(0, RECORDS / 4));
    await worker.until("records flow", () => stage.committed() > RECORDS / 10);
    // Further apart than a request is long, of which one in a few would else never pass: fetches bring what little the topic is ahead.
    proxies.kafka.strike(400_000);
    proxies.cassandra.strike(150_000);
    proxies.elasticsearch.strike(1_200_000);
    for (let sent = RECORDS / 4; sent < RECORDS; sent += AHEAD) {
      await worker.until(`${sent} are on their way`, () => stage.committed() >= sent - AHEAD);
      await stage.send(records.slice(sent, sent + AHEAD));
    }
    await worker.until("everything is committed", () => stage.committed() === RECORDS);
    const struck = Object.values(proxies).map((proxy) => ({ ...proxy.struck }));
    for (const proxy of Object.values(proxies)) proxy.heal();
    await worker.close();
    const story = `seed ${SEED}; struck: ${JSON.stringify(struck)}`;
    for (const { cut, truncate, delay } of struck)
      expect(cut + truncate + delay, story).toBeGreaterThan(2);
    await expectSameAsBatch(stage, await specStraight(), { records: RECORDS, broken, story });
  },
);

test.skipIf(kafkaProxied === undefined)(
  "an answer of Kafka's that was cut short is not taken for the beginning of the next connection's",
  { timeout: 120_000, retry: 0 },
  async () => {
    stage = await openStage(1);
    const count = 3000;
    await stage.send(
      flightsOf(seeded(SEED), { count, partitions: 1, startMs: Date.now() }).records,
    );
    const port = Number(kafkaProxied?.split(":")[1]) + 1;
    const always = (): number => 0.9;
    const proxy = await openTcpProxy(kafkaProxied ?? "", always, port);
    opened.push(proxy);
    const connection = { brokers: [proxy.address], tls: false };
    const reader = unwrap(openKafkaReader(connection, { root: ".", variables: {} }));
    proxy.strike(100_000);
    const reading = collect(reader.read(stage.topic, 0, 0, count));
    await until("an answer is cut short", () => proxy.struck.truncate > 0);
    proxy.heal();
    expect((await reading).flat()).toHaveLength(count);
    expect(proxy.struck).toMatchObject({ cut: 0, delay: 0 });
    await reader.close();
  },
);

/** The same pipeline, its servers asked without the proxies. */
async function specStraight() {
  return stage.spec({ where: stage.straight });
}

test(
  "Elasticsearch answers 429, 503, and errors of single items: what it refused for now is sent again, and the sinks equal a batch run",
  { timeout: 900_000, retry: 0 },
  async () => {
    const random = seeded(SEED);
    const proxy = await openFaultProxy(`http://${servers.elasticsearch}`);
    opened.push(proxy);
    stage = await openStage(PARTITIONS, { elasticsearch: new URL(proxy.url).host });
    const { records, broken } = flightsOf(random, {
      count: RECORDS,
      partitions: PARTITIONS,
      startMs: Date.now(),
      broken: 0.001,
    });
    const isBulk = ({ path }: { path: string }): boolean => path.endsWith("/_bulk");
    const seen = new Map<number, number>();
    /** A third of the items that were done are said to have failed, each in one of the ways that pass. */
    const alter = (body: unknown): unknown => {
      const answer = body as { items: { index: { status: number; error?: object } }[] }; // Elasticsearch's
      const items = answer.items.map((item) => {
        if (random() < 0.66) return item;
        const status = [429, 503, 502, 504][Math.floor(random() * 4)] ?? 429;
        seen.set(status, (seen.get(status) ?? 0) + 1);
        const type = "es_rejected_execution_exception";
        return { index: { status, error: { type, reason: "rejected by the test" } } };
      });
      return { ...answer, errors: true, items };
    };
    const isSome = (asked: { path: string }): boolean => isBulk(asked) && random() < 0.35;
    proxy.add(
      { when: isBulk, times: 2, fault: { kind: "answer", status: 429 } },
      { when: isBulk, times: 2, fault: { kind: "answer", status: 503 } },
      { when: isSome, times: 12, fault: { kind: "alter", alter } },
      { when: isSome, times: 4, fault: { kind: "cutAnswer", afterBytes: 20 } },
      { when: isSome, times: 4, fault: { kind: "answer", status: 503 } },
    );
    const spec = await stage.spec();
    const worker = stage.worker();
    await worker.start(spec);
    await stage.send(records);
    await worker.until("everything is committed", () => stage.committed() === RECORDS);
    expect([...seen.keys()].toSorted((a, b) => a - b)).toEqual([429, 502, 503, 504]);
    expect([...worker.troubles]).toContain("elasticsearch-busy");
    expect([...worker.troubles]).toContain("elasticsearch-unreachable");
    await worker.close();
    await expectSameAsBatch(stage, spec, { records: RECORDS, broken, story: `seed ${SEED}` });
  },
);
