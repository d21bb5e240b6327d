import { createServer, type AddressInfo, type Server } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { types } from "cassandra-driver";
import { afterAll, afterEach, expect, test } from "vitest";
import { cassandraSchema, type CassandraConnection } from "../connections.ts";
import { isTransient } from "../transient.ts";
import { openCassandraSink } from "./cassandra-sink.ts";
import { connectProblem } from "./connect-problem.ts";

const codes = types.responseErrorCodes;
const { startup, authResponse } = { startup: 0x01, authResponse: 0x0f };

const root = mkdtempSync(join(tmpdir(), "penstock-cassandra-"));
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(root, { recursive: true }));

type Answer = { opcode: number; body: Buffer };

/** A server that gets no further than the login: it gives one answer to each opcode (Native Protocol v4, section 2). */
async function serverThat(answers: Record<number, Answer>): Promise<string> {
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (more) => {
      bytes = Buffer.concat([bytes, more]);
      while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUInt32BE(5)) {
        const answer = answers[bytes[4] ?? 0];
        if (answer === undefined) return void socket.destroy();
        const head = Buffer.from(bytes.subarray(0, 9));
        head[0] = (head[0] ?? 0) | 0x80;
        head[4] = answer.opcode;
        head.writeUInt32BE(answer.body.length, 5);
        socket.write(Buffer.concat([head, answer.body]));
        bytes = bytes.subarray(9 + bytes.readUInt32BE(5));
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function refuse(code: number, message: string): Answer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(code);
  return { opcode: 0x00, body: Buffer.concat([head, text(message)]) };
}

const authenticate: Answer = { opcode: 0x03, body: text("org.apache.cassandra.auth.PasswordAuthenticator") }; // prettier-ignore
const asksForPassword = (then: Answer) => ({ [startup]: authenticate, [authResponse]: then });

async function problemOf(contactPoint: string, connection: Partial<CassandraConnection> = {}) {
  const sink = await openCassandraSink({
    name: "table",
    connection: cassandraSchema.parse({
      contactPoints: [contactPoint],
      localDataCenter: "datacenter1",
      keyspace: "delays",
      ...connection,
    }),
    surroundings: { root, variables: { PASSWORD: "wrong" } },
    table: "delays",
    owner: "testing:delays",
  });
  const problem = await sink.prepare({ key: [], columns: [], maxParts: 1 });
  await sink.close();
  if (problem === undefined) throw new Error("it connected");
  return problem;
}

const login = { username: "penstock", password: { env: "PASSWORD" } };
const wrong = "Provided username penstock and/or password are incorrect";

test("a refused login needs a person", async () => {
  const address = await serverThat(asksForPassword(refuse(codes.badCredentials, wrong)));
  const problem = await problemOf(address, login);
  expect(problem).toMatchObject({
    code: "sink-forbidden",
    message: expect.stringContaining(wrong),
    hint: expect.stringContaining("cassandra.password"),
  });
  expect(isTransient(problem)).toBe(false);
});

test("so does a password that is asked for and not given", async () => {
  const address = await serverThat(asksForPassword(refuse(codes.badCredentials, wrong)));
  expect(await problemOf(address)).toMatchObject({ code: "sink-forbidden" });
});

test("a login that one node refuses needs a person, whatever the others do", async () => {
  const address = await serverThat(asksForPassword(refuse(codes.badCredentials, wrong)));
  const contactPoints = ["127.0.0.1:1", address];
  const problem = await problemOf(address, { ...login, contactPoints });
  expect(problem).toMatchObject({
    code: "sink-forbidden",
    message: expect.stringContaining(wrong),
  });
});

test.each([
  ["has no answer about its roles yet", asksForPassword(refuse(codes.badCredentials, "Unable to perform authentication: Cannot achieve consistency level QUORUM"))], // prettier-ignore
  ["is starting", { [startup]: refuse(codes.isBootstrapping, "is bootstrapping") }],
  ["is overloaded", { [startup]: refuse(codes.overloaded, "too much at once") }],
])("a Cassandra that %s is waited for", async (_, answers) => {
  const problem = await problemOf(await serverThat(answers), login);
  expect(problem.code).toBe("sink-unreachable");
  expect(isTransient(problem)).toBe(true);
});

/** To a ClientHello, no frame of its own: what a server without TLS says is no TLS. */
async function serverWithoutTls(): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", () => socket.write(Buffer.from("840000000000000000", "hex")));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's
}

test("TLS with a server that does not speak it needs a person", async () => {
  const problem = await problemOf(await serverWithoutTls(), { tls: true });
  expect(problem).toMatchObject({
    code: "sink-tls",
    hint: expect.stringContaining("cassandra.tls"),
  });
  expect(isTransient(problem)).toBe(false);
});

test("a certificate's file that holds none needs a person", async () => {
  const certificate = join(root, "client.pem");
  writeFileSync(certificate, "none");
  const tls = { certificate, key: certificate };
  expect(await problemOf("127.0.0.1:1", { tls })).toMatchObject({ code: "sink-tls" });
});

test.each([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
])("a certificate refused by %s needs a person", (code) => {
  const cause = Object.assign(new Error("refused"), { code });
  expect(connectProblem("table", ["h"], cause)).toMatchObject({ code: "sink-tls" });
});
