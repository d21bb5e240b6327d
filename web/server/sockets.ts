import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { Workbench } from "#promote/workbench.ts";
import { notebookName } from "../api/notebook-files.ts";
import { refuseUpgrade } from "./http.ts";
import { serveLive } from "./live-socket.ts";
import { serveSession } from "./session-socket.ts";
import { sessionOpener } from "./sessions.ts";

/** Room for a cell's text of a million characters. */
const messageBytes = 4 * 1024 * 1024;
const socketsAtOnce = 100;
/** A page that has gone without a word is found out within two of these. */
const pingMs = 30_000;

export type Sockets = {
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  close(): void;
};

/** The two WebSockets: a notebook's session and the pipelines as they run. The gate has let their pages in already. */
export function openSockets(workbench: Workbench): Sockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: messageBytes,
    perMessageDeflate: false,
  });
  const open = sessionOpener(workbench);
  const silent = new WeakSet<WebSocket>();
  const pinging = setInterval(() => {
    for (const socket of server.clients) {
      if (silent.has(socket)) socket.terminate();
      else {
        silent.add(socket);
        socket.ping();
      }
    }
  }, pingMs);
  pinging.unref();

  function serverOf(path: string): ((socket: WebSocket) => void) | undefined {
    if (path === "/api/pipelines/live") return (socket) => serveLive(socket, workbench.sync);
    const encoded = /^\/api\/notebooks\/([^/]+)\/session$/.exec(path)?.[1];
    const name = notebookName.safeParse(encoded);
    return name.success ? (socket) => serveSession(socket, name.data, open) : undefined;
  }

  return {
    upgrade: (request, duplex, head) => {
      const serve = serverOf((request.url ?? "").split("?", 1)[0] ?? "");
      if (!serve) return refuseUpgrade(duplex, 404);
      if (server.clients.size >= socketsAtOnce) return refuseUpgrade(duplex, 503);
      server.handleUpgrade(request, duplex, head, (socket) => {
        socket.on("error", () => socket.terminate());
        socket.on("pong", () => silent.delete(socket));
        serve(socket);
      });
    },
    close: () => {
      clearInterval(pinging);
      for (const socket of server.clients) socket.close(1001, "the server ends");
      setTimeout(() => {
        for (const socket of server.clients) socket.terminate();
      }, 500).unref();
      server.close();
    },
  };
}
