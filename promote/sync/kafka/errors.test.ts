import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { KafkaConnection } from "../connections.ts";
import { openKafkaClient } from "./client.ts";
import { failureOf, KafkaError } from "./errors.ts";

const NOT_LEADER = 6;

test.each(["certificates", "tls-events", "ssl", "self-signed"])(
  "what is wrong with a topic called %s for a moment is waited out",
  (topic) => {
    const failure = failureOf(new KafkaError(NOT_LEADER, `a fetch of ${topic}/0`), "reading");
    expect(failure).toMatchObject({ kind: "transient", type: "NOT_LEADER_OR_FOLLOWER" });
  },
);

async function failureAt(broker: string, tls: KafkaConnection["tls"], root = ".") {
  const connection = { brokers: [broker], tls };
  const client = unwrap(openKafkaClient(connection, { root, variables: {} }));
  try {
    await client.anyNode();
    throw new Error("it connected");
  } catch (cause) {
    return failureOf(cause, "connecting");
  } finally {
    await client.close();
  }
}

/** To whatever comes, the same answer, or none and the connection's end. */
async function serverThatSays(answer: Buffer | undefined) {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", () => (answer === undefined ? socket.destroy() : socket.write(answer)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's
  return { address: `127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() };
}

test("a broker that goes away in the middle of a TLS handshake is waited for", async () => {
  using server = await serverThatSays(undefined);
  expect(await failureAt(server.address, true)).toMatchObject({
    kind: "transient",
    problem: { code: "kafka-unavailable" },
  });
});

test("TLS with a server that does not speak it needs a person", async () => {
  using server = await serverThatSays(Buffer.from("840000000000000000", "hex"));
  expect(await failureAt(server.address, true)).toMatchObject({
    kind: "halt",
    problem: { code: "kafka-tls" },
  });
});

test("so does a certificate's file that holds none", async () => {
  const root = mkdtempSync(join(tmpdir(), "penstock-kafka-"));
  writeFileSync(join(root, "client.pem"), "none");
  const tls = { certificate: "client.pem", key: "client.pem" };
  expect(await failureAt("127.0.0.1:1", tls, root)).toMatchObject({
    kind: "halt",
    problem: { code: "kafka-tls" },
  });
  rmSync(root, { recursive: true });
});
