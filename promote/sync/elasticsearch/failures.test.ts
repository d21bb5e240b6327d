import { createServer, type AddressInfo } from "node:net";
import { errors } from "@elastic/elasticsearch";
import { expect, test } from "vitest";
import { elasticsearchSchema } from "../connections.ts";
import { isTransient } from "../transient.ts";
import { openElasticsearchSink } from "./elasticsearch-sink.ts";
import { failureOf, outcomeOf } from "./failures.ts";

const ID = { name: "id", type: "BIGINT", nullable: false };

/** What is said of a server that gives the same answer to whatever comes, or none and the connection's end. */
async function problemAt(answer: Buffer | undefined) {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", () => (answer === undefined ? socket.destroy() : socket.write(answer)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's
  const sink = await openElasticsearchSink({
    name: "search",
    owner: "staging:delays",
    connection: elasticsearchSchema.parse({ nodes: [`https://127.0.0.1:${port}`] }),
    surroundings: { root: ".", variables: {} },
    index: "delays",
  });
  const problem = await sink.prepare({ key: [ID], columns: [ID], maxParts: 1 });
  await sink.close();
  server.close();
  if (problem === undefined) throw new Error("it was prepared");
  return problem;
}

test("TLS with a server that does not speak it needs a person", async () => {
  const problem = await problemAt(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
  expect(problem).toMatchObject({
    code: "elasticsearch-tls",
    hint: expect.stringContaining("elasticsearch.tls"),
  });
  expect(isTransient(problem)).toBe(false);
});

test("a server that goes away in the middle of a TLS handshake is waited for", async () => {
  const problem = await problemAt(undefined);
  expect(problem).toMatchObject({ code: "elasticsearch-unreachable" });
  expect(isTransient(problem)).toBe(true);
});

test.each([
  ["self-signed certificate in certificate chain", "halt"],
  ["unable to verify the first certificate", "halt"],
  ["certificate has expired", "halt"],
  ["Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not in the cert's list: ", "halt"], // prettier-ignore
  ["getaddrinfo ENOTFOUND certificate.tls.example", "retryAfter"],
  ["connect ECONNREFUSED 127.0.0.1:9200", "retryAfter"],
])("%s: %s", (message, kind) => {
  const failure = failureOf(new errors.ConnectionError(message));
  expect(outcomeOf(failure, "search")).toMatchObject({ kind });
});
