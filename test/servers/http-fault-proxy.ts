import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What happens to a request instead of being passed on and answered. */
export type Fault =
  /** Answered here; the server never sees it. */
  | { kind: "answer"; status: number; body?: object }
  /** Passed on; the server's JSON answer is changed before it goes back. */
  | { kind: "alter"; alter(body: unknown): unknown }
  /** Passed on, and done by the server; the connection is cut after so many bytes of its answer. */
  | { kind: "cutAnswer"; afterBytes: number }
  /** Cut before the server sees it. */
  | { kind: "cut" }
  | { kind: "delay"; ms: number };

export type Rule = {
  /** Requests it is for; all without. */
  when?: (asked: { method: string; path: string; sizeBytes: number }) => boolean;
  /** How often it applies, then it is gone; always without. */
  times?: number;
  fault: Fault;
};

/** A real HTTP proxy before a real server, which fails as told. The first rule that fits a request applies. */
export type FaultProxy = {
  url: string;
  /** `METHOD /path` of every request that came, in order. */
  asked: string[];
  add(...rules: Rule[]): void;
  /** From now on everything is passed on. */
  heal(): void;
  close(): Promise<void>;
};

export async function openFaultProxy(target: string): Promise<FaultProxy> {
  let rules: { rule: Rule; left: number }[] = [];
  const asked: string[] = [];
  const sockets = new Set<Socket>();

  function faultFor(method: string, path: string, sizeBytes: number): Fault | undefined {
    const found = rules.find(
      ({ rule, left }) => left > 0 && (rule.when?.({ method, path, sizeBytes }) ?? true),
    );
    if (found === undefined) return undefined;
    found.left--;
    return found.rule.fault;
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = incoming;
    const body = await collect(incoming);
    asked.push(`${method} ${url.split("?")[0] ?? ""}`);
    const fault = faultFor(method, url.split("?")[0] ?? "", body.length);
    if (fault?.kind === "cut") {
      incoming.socket.destroy();
      return;
    }
    if (fault?.kind === "answer") {
      send(response, fault.status, Buffer.from(JSON.stringify(fault.body ?? {})));
      return;
    }
    if (fault?.kind === "delay") await delay(fault.ms);
    const answer = await passOn(target, incoming, body);
    if (fault?.kind === "cutAnswer") {
      response.writeHead(answer.status, { ...answer.headers });
      response.write(answer.body.subarray(0, fault.afterBytes), () => incoming.socket.destroy());
      return;
    }
    if (fault?.kind !== "alter") {
      response.writeHead(answer.status, answer.headers).end(answer.body);
      return;
    }
    const parsed: unknown = JSON.parse(answer.body.toString());
    send(response, answer.status, Buffer.from(JSON.stringify(fault.alter(parsed))));
  }

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => incoming.socket.destroy());
  });
  // Node closes idle connections after 5 s; a test that was busy for that long would meet a fault it did not ask for.
  server.keepAliveTimeout = 600_000;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // listening on a port
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    add(...added) {
      rules.push(...added.map((rule) => ({ rule, left: rule.times ?? Infinity })));
    },
    heal() {
      rules = [];
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Answer = { status: number; headers: Record<string, string>; body: Buffer };

function passOn(target: string, incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        collect(answer).then(
          (bytes) =>
            resolve({
              status: answer.statusCode ?? 502,
              headers: headersOf(answer),
              body: bytes,
            }),
          reject,
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === "string" ? [[name, value]] : [],
    ),
  );
}

/** As Elasticsearch answers: its client looks for the product's header. */
function send(response: ServerResponse, status: number, body: Buffer): void {
  response
    .writeHead(status, {
      "content-type": "application/json",
      "content-length": body.length,
      "x-elastic-product": "Elasticsearch",
    })
    .end(body);
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
