import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** What befalls a connection after a number of bytes of the server's answers. */
export type TcpFault =
  /** Both ends are reset. */
  | { kind: "cut" }
  /** Nothing is passed on for a while, either way; then all of it. */
  | { kind: "delay"; ms: number }
  /** A part of what was to be passed on is, then both ends are reset: the rest never comes. */
  | { kind: "truncate" };

export type TcpProxy = {
  /** `host:port` */
  address: string;
  /** How often each kind has struck. */
  struck: Record<TcpFault["kind"], number>;
  /** Faults from now on, at a distance of so many bytes on average. */
  strike(bytes: number): void;
  /** From now on everything is passed on. */
  heal(): void;
  close(): Promise<void>;
};

const KINDS = ["cut", "delay", "truncate"] as const;
const DELAY_MS = 400;

/** A real TCP proxy before a real server: it cuts, delays and truncates connections, at places that `random` chooses. */
export async function openTcpProxy(
  target: string,
  random: () => number,
  port = 0,
): Promise<TcpProxy> {
  const [host = "", targetPort] = target.split(":");
  const sockets = new Set<Socket>();
  const struck = { cut: 0, delay: 0, truncate: 0 };
  let distance = Infinity;
  let left = Infinity;

  function next(): TcpFault {
    left = distance * (0.5 + random());
    const kind = KINDS[Math.floor(random() * KINDS.length)] ?? "cut";
    struck[kind]++;
    return kind === "delay" ? { kind, ms: random() * 2 * DELAY_MS } : { kind };
  }

  function join(near: Socket, far: Socket): void {
    const end = (): void => {
      near.resetAndDestroy();
      far.resetAndDestroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", end);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("data", (data) => {
        left -= data.length;
        const fault = left > 0 ? undefined : next();
        if (fault?.kind === "cut") return end();
        if (fault?.kind === "truncate") {
          to.write(data.subarray(0, Math.floor(random() * data.length)), end);
          return;
        }
        if (fault?.kind === "delay") {
          near.pause();
          far.pause();
          setTimeout(() => {
            near.resume();
            far.resume();
          }, fault.ms);
        }
        if (!to.write(data)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
    }
  }

  const server = createServer((near) => {
    near.setNoDelay(true);
    join(near, connect({ host, port: Number(targetPort), noDelay: true }));
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = server.address() as AddressInfo; // a TCP server's
  return {
    address: `127.0.0.1:${bound.port}`,
    struck,
    strike(bytes) {
      distance = bytes;
      left = bytes;
    },
    heal() {
      distance = Infinity;
      left = Infinity;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
