import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fail, ok, type Result } from "#snapshots/problem.ts";

const host = "127.0.0.1";
const portsTried = 50;

/**
 * Listens on loopback. A taken port moves on to the next free one, unless the user named it.
 * `port` 0 takes any free one.
 */
export async function listen(
  server: Server,
  wanted: { port: number; isExplicit: boolean },
): Promise<Result<{ port: number; taken: number | undefined }>> {
  const last = wanted.isExplicit ? wanted.port : Math.min(wanted.port + portsTried, 65_535);
  for (let port = wanted.port; port <= last; port += 1) {
    const error = await tryPort(server, port);
    if (!error) {
      const actual = (server.address() as AddressInfo).port;
      return ok({ port: actual, taken: port === wanted.port ? undefined : wanted.port });
    }
    if (error.code === "EACCES" && wanted.isExplicit) {
      return fail({
        code: "port-not-allowed",
        message: `Port ${port} needs rights this user does not have.`,
        hint: "Choose one above 1023.",
      });
    }
    if (error.code !== "EADDRINUSE" && error.code !== "EACCES") {
      return fail({
        code: "cannot-listen",
        message: `The server cannot listen on ${host}:${port} (${error.code ?? error.message}).`,
      });
    }
  }
  if (wanted.isExplicit) {
    return fail({
      code: "port-taken",
      message: `Port ${wanted.port} is taken by another program.`,
      hint: "Choose another with --port, or leave --port out: the next free one is taken.",
    });
  }
  return fail({
    code: "port-taken",
    message: `Every port from ${wanted.port} to ${last} is taken.`,
    hint: "Choose a free one with --port.",
  });
}

function tryPort(server: Server, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off("listening", listening);
      resolve(error);
    };
    const listening = () => {
      server.off("error", failed);
      resolve(undefined);
    };
    server.once("error", failed);
    server.once("listening", listening);
    server.listen({ host, port, exclusive: true });
  });
}
