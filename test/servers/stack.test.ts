import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { Client as ElasticsearchClient } from "@elastic/elasticsearch";
import { Client as CassandraClient } from "cassandra-driver";
import { type KafkaConfig, Kafka, logLevel } from "kafkajs";
import { afterAll, describe, expect, test } from "vitest";
import {
  freezeServer,
  killServer,
  type ServerName,
  stackStatus,
  startServer,
  startStack,
  thawServer,
} from "../../deploy/stack/stack.mjs";
import { servers } from "./addresses.ts";

const name = `stack_${Date.now().toString(36)}`;
const status = await stackStatus();
const ours = new Set(status.filter(({ way }) => way !== "given").map((server) => server.name));

interface Keeper {
  server: ServerName;
  write: (value: string) => Promise<void>;
  read: () => Promise<string | undefined>;
  remove: () => Promise<void>;
}

/** One thing each server was told, and can be asked for. A connection a call: the server dies in between. */
const keepers: Keeper[] = [
  {
    server: "kafka",
    write: async (value) => {
      await withAdmin({}, (admin) => admin.createTopics({ topics: [{ topic: name }] }));
      const producer = kafka({}).producer();
      await producer.connect();
      await producer.send({ topic: name, acks: -1, messages: [{ value }] });
      await producer.disconnect();
    },
    read: readTopic,
    remove: () => withAdmin({}, (admin) => admin.deleteTopics({ topics: [name] })),
  },
  {
    server: "cassandra",
    write: async (value) => {
      await cql(
        `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
      );
      await cql(`CREATE TABLE ${name}.kept (id int PRIMARY KEY, value text)`);
      await cql(`INSERT INTO ${name}.kept (id, value) VALUES (1, '${value}')`);
    },
    read: async () => {
      const { rows } = await cql(`SELECT value FROM ${name}.kept WHERE id = 1`);
      return String(rows[0]?.["value"]);
    },
    remove: async () => void (await cql(`DROP KEYSPACE ${name}`)),
  },
  {
    server: "elasticsearch",
    write: async (value) => {
      await elasticsearch().index({ index: name, id: "1", document: { value } });
    },
    read: async () => {
      const { _source } = await elasticsearch().get<{ value: string }>({ index: name, id: "1" });
      return _source?.value;
    },
    remove: async () => void (await elasticsearch().indices.delete({ index: name })),
  },
  {
    server: "registry",
    write: async (value) => {
      const schema = JSON.stringify({ type: "record", name: value, fields: [] });
      const response = await fetch(`${servers.registry}/subjects/${name}/versions`, {
        method: "POST",
        headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
        body: JSON.stringify({ schema }),
      });
      expect(response.status).toBe(200);
    },
    read: async () => {
      const response = await fetch(`${servers.registry}/subjects/${name}/versions/latest`);
      const { schema } = (await response.json()) as { schema: string };
      return (JSON.parse(schema) as { name: string }).name;
    },
    remove: async () =>
      void (await fetch(`${servers.registry}/subjects/${name}`, { method: "DELETE" })),
  },
];

afterAll(async () => {
  await Promise.all(keepers.map((keeper) => keeper.remove()));
});

test("starting what runs already starts nothing and moves nothing", async () => {
  const before = await stackStatus();
  const names = before.filter(({ state }) => state === "ready").map((server) => server.name);
  const again = await startStack(names);
  expect(again.started).toEqual([]);
  expect(pidsOf(await stackStatus())).toEqual(pidsOf(before));
});

describe.each(keepers)("$server", ({ server, write, read }) => {
  test.runIf(ours.has(server))("comes back from SIGKILL with what it acknowledged", async () => {
    await write("kept");
    const [before] = await stackStatus([server]);
    await killServer(server);
    // Whoever starts it next, at once, finds its port free.
    await listenAt(before?.address ?? "");
    expect((await stackStatus([server]))[0]).toMatchObject({ state: "stopped" });
    const { started } = await startStack([server]);
    expect(started).toEqual([server]);
    const [after] = await stackStatus([server]);
    expect(after).toMatchObject({ state: "ready", address: before?.address });
    expect(await read()).toBe("kept");
  });
});

test.runIf(ours.has("elasticsearch") && process.platform !== "win32")(
  "a frozen server answers nothing until it is thawed",
  async () => {
    await freezeServer("elasticsearch");
    expect((await stackStatus(["elasticsearch"]))[0]).toMatchObject({ state: "frozen" });
    await expect(
      fetch(`http://${servers.elasticsearch}/`, { signal: AbortSignal.timeout(500) }),
    ).rejects.toThrow("timeout");
    await thawServer("elasticsearch");
    await startServer("elasticsearch");
    expect((await stackStatus(["elasticsearch"]))[0]).toMatchObject({ state: "ready" });
  },
);

const credentials = { username: "penstock", password: "penstock-secret" };
const { kafkaSasl, kafkaTls, kafkaCa } = servers;
const sasl = kafkaSasl ?? "";

describe.runIf(kafkaSasl && ours.has("kafka"))("Kafka's SASL listener", () => {
  test.each<[string, Partial<KafkaConfig>]>([
    ["PLAIN", { sasl: { mechanism: "plain", ...credentials } }],
    ["SCRAM-SHA-256", { sasl: { mechanism: "scram-sha-256", ...credentials } }],
    ["SCRAM-SHA-512", { sasl: { mechanism: "scram-sha-512", ...credentials } }],
  ])("lets in the user who names the password with %s", async (_, config) => {
    const cluster = await withAdmin({ brokers: [sasl], ...config }, (admin) =>
      admin.describeCluster(),
    );
    expect(cluster.brokers).toHaveLength(1);
  });

  test("turns away a wrong password", async () => {
    const wrong = { mechanism: "plain", ...credentials, password: "wrong" } as const;
    await expect(
      withAdmin({ brokers: [sasl], sasl: wrong }, (admin) => admin.describeCluster()),
    ).rejects.toThrow(/authentication/i);
  });
});

test.runIf(kafkaTls && kafkaCa)(
  "Kafka's TLS listener shows the certificate kafkaCa vouches for",
  async () => {
    const ca = readFileSync(kafkaCa ?? "", "utf8");
    const cluster = await withAdmin({ brokers: [kafkaTls ?? ""], ssl: { ca } }, (admin) =>
      admin.describeCluster(),
    );
    expect(cluster.brokers).toHaveLength(1);
  },
);

test.runIf(ours.has("prometheus") && servers.prometheus)(
  "Prometheus scrapes the pages of Penstock",
  async () => {
    const response = await fetch(`http://${servers.prometheus}/api/v1/targets`);
    const { data } = (await response.json()) as {
      data: { activeTargets: { scrapeUrl: string }[] };
    };
    expect(data.activeTargets.map(({ scrapeUrl }) => scrapeUrl)).toContain(
      "http://127.0.0.1:4747/metrics",
    );
  },
);

/** Fails where a port is still taken. The address may be that of a page. */
async function listenAt(address: string): Promise<void> {
  const port = Number(/:(\d+)(?:\/|$)/.exec(address)?.[1]);
  const listener = createServer();
  const listening = once(listener, "listening");
  listener.listen(port, "127.0.0.1");
  await listening;
  listener.close();
  await once(listener, "close");
}

function pidsOf(rows: Awaited<ReturnType<typeof stackStatus>>) {
  return rows.map(({ name, pid }) => [name, pid]);
}

function kafka(config: Partial<KafkaConfig>) {
  return new Kafka({
    clientId: name,
    brokers: [servers.kafka],
    logLevel: logLevel.NOTHING,
    ...config,
  });
}

async function withAdmin<T>(
  config: Partial<KafkaConfig>,
  use: (admin: ReturnType<Kafka["admin"]>) => Promise<T>,
) {
  const admin = kafka({ retry: { retries: 2 }, ...config }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

async function readTopic() {
  const consumer = kafka({}).consumer({ groupId: name });
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  const first = Promise.withResolvers<string | undefined>();
  await consumer.run({
    eachMessage: ({ message }) => {
      first.resolve(message.value?.toString());
      return Promise.resolve();
    },
  });
  const value = await first.promise;
  await consumer.disconnect();
  return value;
}

async function cql(statement: string) {
  const client = new CassandraClient({
    contactPoints: [servers.cassandra],
    localDataCenter: "datacenter1",
  });
  try {
    return await client.execute(statement);
  } finally {
    await client.shutdown();
  }
}

function elasticsearch() {
  return new ElasticsearchClient({ node: `http://${servers.elasticsearch}` });
}
