import { once } from "node:events";
import { createServer } from "node:http";
import { ok, type Result } from "#snapshots/problem.ts";
import { securityHeaders } from "../auth/answers.ts";
import { answerHealth, type Health } from "./health.ts";
import { listen } from "./port.ts";

export type HealthServer = { url: string; close(): Promise<void> };

/** A worker's three open paths, on loopback. `port` 0 takes any free one. */
export async function serveHealth(port: number, health: Health): Promise<Result<HealthServer>> {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    if (!answerHealth(request, response, health)) response.writeHead(404).end();
  });
  const listening = await listen(server, { port, isExplicit: true });
  if (!listening.ok) return listening;
  return ok({
    url: `http://127.0.0.1:${listening.value.port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
}
