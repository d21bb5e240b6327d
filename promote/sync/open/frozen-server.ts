import { once } from "node:events";
import { createServer, type Socket } from "node:net";

/** For tests: takes connections and never answers, as a stopped process does. */
export type FrozenServer = {
  port: number;
  /** How many there have been, and how many are still open. */
  connections(): number;
  open(): number;
  close(): void;
};

export async function openFrozenServer(): Promise<FrozenServer> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    // What comes is heard, so that its end is.
    socket.resume();
    sockets.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    connections: () => sockets.length,
    open: () => sockets.filter((socket) => !socket.destroyed).length,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** For tests: where nobody listens, as after a server's end. */
export async function closedPort(): Promise<number> {
  const server = await openFrozenServer();
  server.close();
  return server.port;
}
