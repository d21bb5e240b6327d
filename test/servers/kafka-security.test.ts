import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { KafkaConnection } from "#promote/sync/connections.ts";
import { openKafkaClient } from "#promote/sync/kafka/client.ts";
import { failureOf } from "#promote/sync/kafka/errors.ts";
import { servers } from "./addresses.ts";
import {
  append,
  closeFixture,
  freshTopic,
  numbered,
  openSource,
  pollUntil,
  take,
  valuesOf,
} from "./kafka-fixture.ts";

const root = mkdtempSync(join(tmpdir(), "penstock-kafka-"));
const surroundings = { root, variables: { KAFKA_PASSWORD: "penstock-secret", WRONG: "wrong" } };
if (servers.kafkaCa !== undefined) copyFileSync(servers.kafkaCa, join(root, "ca.pem"));

afterAll(async () => {
  await closeFixture();
  rmSync(root, { recursive: true });
});

/** What is read of three records, and what came of committing them. */
async function readThree(connection: KafkaConnection): Promise<unknown[]> {
  const topic = await freshTopic();
  await append(topic, numbered(0, 3));
  const source = await openSource({ connection, surroundings, topics: [topic] });
  const values = valuesOf(await take(source, 3));
  const refused = await source.commit([{ topic, partition: 0, next: 3 }]);
  await source.close();
  return [...values, refused];
}

const ALL_THREE = ["0", "1", "2", undefined];

async function haltOf(connection: KafkaConnection): Promise<unknown> {
  const source = await openSource({ connection, surroundings, topics: ["any"] });
  try {
    await pollUntil(source, () => false);
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : cause;
  } finally {
    await source.close();
  }
}

/** A broker that goes away as it is asked for the third time: which versions it speaks, which mechanisms, and then whether the password holds. */
async function brokerThatGoes(target: string) {
  const [host, port] = target.split(":");
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    let asked = 0;
    near.on("error", () => far.destroy());
    far.on("error", () => near.destroy());
    near.on("data", (request) => (++asked === 3 ? near.resetAndDestroy() : far.write(request)));
    far.on("data", (answer) => near.write(answer));
    near.on("close", () => far.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo; // a TCP server's
  return { address: `127.0.0.1:${own}`, [Symbol.dispose]: () => void server.close() };
}

describe.skipIf(servers.kafkaSasl === undefined)("SASL", () => {
  const brokers = [servers.kafkaSasl ?? ""];
  const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;
  test.each(mechanisms)("%s", async (mechanism) => {
    const sasl = { mechanism, username: "penstock", password: { env: "KAFKA_PASSWORD" } };
    expect(await readThree({ brokers, tls: false, sasl })).toEqual(ALL_THREE);
  });

  test.each(mechanisms)("a wrong password halts: %s", async (mechanism) => {
    const sasl = { mechanism, username: "penstock", password: { env: "WRONG" } };
    expect(await haltOf({ brokers, tls: false, sasl })).toMatch(/^kafka-login-refused/);
  });

  test.each(mechanisms)(
    "a broker that goes in the middle of a login is waited for: %s",
    async (mechanism) => {
      using broker = await brokerThatGoes(servers.kafkaSasl ?? "");
      const sasl = { mechanism, username: "penstock", password: { env: "KAFKA_PASSWORD" } };
      const connection = { brokers: [broker.address], tls: false, sasl };
      const client = unwrap(openKafkaClient(connection, surroundings));
      const cause: unknown = await client.anyNode().catch((failed: unknown) => failed);
      expect(failureOf(cause, "connecting")).toMatchObject({
        kind: "transient",
        problem: { code: "kafka-unavailable" },
      });
      await client.close();
    },
  );

  test("a password that is not set halts before anything is tried", async () => {
    const sasl = { mechanism: "plain" as const, username: "penstock", password: { env: "ABSENT" } };
    expect(await haltOf({ brokers, tls: false, sasl })).toMatch(/^secret-missing/);
  });
});

describe.skipIf(servers.kafkaTls === undefined || servers.kafkaCa === undefined)("TLS", () => {
  const brokers = [servers.kafkaTls ?? ""];
  test("with the authority's certificate, named from the workspace", async () => {
    expect(await readThree({ brokers, tls: { ca: "ca.pem" } })).toEqual(ALL_THREE);
  });

  test("without it, reading halts and says what to check", async () => {
    expect(await haltOf({ brokers, tls: true })).toMatch(/^kafka-tls/);
  });

  test("a certificate file that is not there is named", async () => {
    expect(await haltOf({ brokers, tls: { ca: "no.pem" } })).toMatch(/^tls-file-missing.*no\.pem/);
  });
});
