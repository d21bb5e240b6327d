import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openKafkaClient } from "./client.ts";
import { fetchMetadata } from "./metadata.ts";
import { WireWriter } from "./wire.ts";

const API_VERSIONS = 18;
const METADATA = 3;
const NEWEST_METADATA = 12;
const PATIENCE_MS = 16_000;

/** `unanswered`: what it was asked while it was frozen. */
type Broker = {
  nodeId: number;
  port: number;
  isFrozen: boolean;
  unanswered: number;
  close(): void;
};

/** A broker of the cluster `all` that tells which brokers there are, and of no topic; or, frozen, takes requests and answers none. */
async function openBroker(nodeId: number, all: readonly Broker[]): Promise<Broker> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (request) => {
      if (broker.isFrozen) broker.unanswered++;
      else socket.write(answerTo(request, all));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server's
  const broker: Broker = {
    nodeId,
    port,
    isFrozen: false,
    unanswered: 0,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return broker;
}

/** To a request for versions or metadata, which comes in one piece: length · api · version · correlation. */
function answerTo(request: Buffer, all: readonly Broker[]): Buffer {
  const [api, version] = [request.readInt16BE(4), request.readInt16BE(6)];
  const w = new WireWriter();
  if (api === API_VERSIONS) {
    w.int16(0).int32(2);
    w.int16(API_VERSIONS)
      .int16(0)
      .int16(2)
      .int16(METADATA)
      .int16(0)
      .int16(NEWEST_METADATA)
      .int32(0);
  } else if (version === NEWEST_METADATA) {
    w.tags()
      .int32(0)
      .list([], () => undefined)
      .text(null)
      .int32(1)
      .list([], () => undefined)
      .tags();
  } else {
    w.int32(0).int32(all.length);
    for (const { nodeId, port } of all) {
      w.int32(nodeId).int16(9);
      for (const byte of Buffer.from("127.0.0.1")) w.int8(byte);
      w.int32(port).int16(-1);
    }
    w.int16(-1).int32(1).int32(0);
  }
  const answer = w.finished();
  const head = Buffer.alloc(8);
  head.writeInt32BE(answer.length + 4);
  request.copy(head, 4, 8, 12);
  return Buffer.concat([head, answer]);
}

afterEach(() => vi.useRealTimers());

test("a broker that answers no more is asked for nothing that others can say", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const all: Broker[] = [];
  for (const nodeId of [1, 2, 3]) all.push(await openBroker(nodeId, all));
  const brokers = all.map(({ port }) => `127.0.0.1:${port}`);
  const client = unwrap(openKafkaClient({ brokers, tls: false }, { root: ".", variables: {} }));
  const look = () => fetchMetadata(client, []);
  const unanswered = () => all.reduce((sum, broker) => sum + broker.unanswered, 0);
  await look();
  // Each in turn is the only one that answers.
  for (const alive of all) {
    for (const broker of all) broker.isFrozen = broker !== alive;
    let isAnswered = false;
    for (let tries = 0; tries < all.length && !isAnswered; tries++) {
      const before = unanswered();
      let isOver = false;
      const looked = look()
        .then(
          () => true,
          () => false,
        )
        .finally(() => (isOver = true));
      // The clock moves for a request that is never answered, and for no other.
      await expect.poll(() => isOver || unanswered() > before).toBe(true);
      vi.setSystemTime(Date.now() + PATIENCE_MS);
      isAnswered = await looked;
    }
    expect([alive.nodeId, isAnswered]).toEqual([alive.nodeId, true]);
  }
  await client.close();
  for (const broker of all) broker.close();
});
