import type { IncomingMessage, ServerResponse } from "node:http";
import type { Metrics } from "#promote/sync/metrics/metrics.ts";
import { NOTHING } from "#promote/sync/order/progress.ts";
import { statusOf, type PipelineState } from "#promote/sync/workers/status.ts";
import type { WorkerReport } from "#promote/sync/workers/workers.ts";
import { answerRefusal, dataPolicy } from "../auth/answers.ts";
import { ownNames, refuseForeign } from "../auth/gate.ts";

/** What the three open paths are answered from. */
export type Health = Pick<Metrics, "reports" | "text" | "contentType">;

type Answer = { status: number; type: string; text: string };

/** Containers of this machine, Prometheus' among them, know it by this name; no name of the public internet ends so. */
const containersName = "host.docker.internal";

/**
 * Answers `/healthz`, `/readyz` and `/metrics`; false for any other path. They need no token, because probes and Prometheus have none: they
 * can only be read, tell names, states and counts, and no page of another origin reads them.
 */
export function answerHealth(
  request: IncomingMessage,
  response: ServerResponse,
  health: Health,
): boolean {
  const { method = "GET", url = "/", headers } = request;
  const answer = paths.get(url.split("?", 1)[0] ?? "");
  if (answer === undefined) return false;
  response.setHeader(...dataPolicy);
  response.setHeader("cache-control", "no-store");
  const arrival = { method, url, isUpgrade: false, headers };
  const port = request.socket.localPort ?? 0;
  const verdict = refuseForeign(arrival, port, [...ownNames, containersName]);
  if (verdict.kind === "refuse") {
    answerRefusal(response, verdict, "program");
    return true;
  }
  if (method !== "GET" && method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return true;
  }
  void answer(health).then(
    ({ status, type, text }) => response.writeHead(status, { "content-type": type }).end(text),
    () => response.writeHead(500).end(),
  );
  return true;
}

const paths = new Map<string, (health: Health) => Promise<Answer>>([
  ["/healthz", () => Promise.resolve({ status: 200, type: "text/plain", text: "alive\n" })],
  ["/readyz", ({ reports }) => Promise.resolve(readyAnswer(reports()))],
  [
    "/metrics",
    async ({ text, contentType }) => ({ status: 200, type: contentType, text: await text() }),
  ],
]);

function readyAnswer(reports: readonly WorkerReport[] | undefined): Answer {
  const readiness = readinessOf(reports);
  const status = readiness.status === "ready" ? 200 : 503;
  return { status, type: "application/json", text: `${JSON.stringify(readiness)}\n` };
}

export type Readiness = {
  /** `opening`: the workspace is not open yet. */
  status: "ready" | "opening" | "not ready";
  pipelines: {
    environment: string;
    name: string;
    release: string;
    state: PipelineState;
    /** Without its message, which may name servers and quote what they said. */
    problem?: { code: string; hint?: string };
  }[];
};

/** Ready: every pipeline of this process is neither halted nor starting. */
export function readinessOf(reports: readonly WorkerReport[] | undefined): Readiness {
  if (reports === undefined) return { status: "opening", pipelines: [] };
  const pipelines = reports.map((report) => {
    const { environment, name, release, state, problem } = statusOf([report], NOTHING);
    return {
      environment,
      name,
      release,
      state,
      ...(problem && { problem: withoutMessage(problem) }),
    };
  });
  const isReady = pipelines.every(({ state }) => state !== "halted" && state !== "starting");
  return { status: isReady ? "ready" : "not ready", pipelines };
}

function withoutMessage({ code, hint }: { code: string; hint?: string }): {
  code: string;
  hint?: string;
} {
  return { code, ...(hint === undefined ? {} : { hint }) };
}
