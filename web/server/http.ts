import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { answerRefusal, dataPolicy, securityHeaders } from "../auth/answers.ts";
import { admit, type Arrival } from "../auth/gate.ts";
import { handOver, type ApiLike } from "./handover.ts";
import { answerHealth, type Health } from "./health.ts";

/** What serves pages and, through its catch-all route, the API: SvelteKit's handler in connect's form. */
export type Pages = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

export type HttpParts = {
  api: ApiLike;
  pages: Pages;
  /** Takes an upgrade that the gate let in. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
};

/**
 * The one door: every request and every upgrade passes the gate before anything of ours looks at it. What lies behind may still
 * be opening when the server listens; requests wait for it. Health alone needs no token, and is told from the first moment.
 */
export function createHttpServer(
  token: string,
  behind: Promise<HttpParts>,
  health?: Health,
): Server {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    if (health !== undefined && answerHealth(request, response, health)) return;
    // What the API answers is never a page, whatever a browser takes it for.
    if (request.url?.startsWith("/api/")) response.setHeader(...dataPolicy);
    const verdict = admit(arrivalOf(request, false), { token, port: portOf(server) });
    if (verdict.kind === "refuse") {
      const isApi = request.url?.startsWith("/api/");
      answerRefusal(response, verdict, isApi ? "program" : "person");
      return;
    }
    if (verdict.kind === "signIn") {
      response.writeHead(303, {
        "set-cookie": verdict.cookie,
        location: verdict.location,
        "cache-control": "no-store",
      });
      response.end();
      return;
    }
    // Nobody speaks TLS here, so no header from outside may say so (adapter-node's PROTOCOL_HEADER, see pages.ts).
    request.headers["x-penstock-protocol"] = "http";
    void serve(request, response);
  });
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { api, pages } = await behind;
      handOver(request, api);
      pages(request, response, () => {
        response.setHeader(...dataPolicy);
        response.writeHead(404).end();
      });
    } catch {
      response.destroy();
    }
  }
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A peer that goes away in the middle of a refusal is no reason to fall over.
    socket.on("error", () => socket.destroy());
    const verdict = admit(arrivalOf(request, true), { token, port: portOf(server) });
    if (verdict.kind === "pass") {
      void behind.then(
        (parts) => parts.upgrade(request, socket, head),
        () => socket.destroy(),
      );
      return;
    }
    refuseUpgrade(socket, verdict.kind === "refuse" ? verdict.status : 401);
  });
  return server;
}

/** Ends a handshake with a plain HTTP status. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function arrivalOf(request: IncomingMessage, isUpgrade: boolean): Arrival {
  return {
    method: request.method ?? "GET",
    url: request.url ?? "/",
    isUpgrade,
    headers: request.headers,
  };
}

function portOf(server: Server): number {
  const address = server.address();
  return address && typeof address === "object" ? address.port : 0;
}
