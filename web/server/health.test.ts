import { request } from "node:http";
import type { Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WorkerReport } from "#promote/sync/workers/workers.ts";
import { unwrap } from "#snapshots/problem.ts";
import { newToken } from "../auth/token.ts";
import { readinessOf, type Health } from "./health.ts";
import { serveHealth, type HealthServer } from "./health-server.ts";
import { createHttpServer } from "./http.ts";
import { listen } from "./port.ts";

const report = (changed: Partial<WorkerReport>): WorkerReport => ({
  environment: "staging",
  name: "delays",
  release: "release-1",
  topic: "flights",
  worker: "w",
  pid: 1,
  host: "h",
  state: "running",
  backoffs: {},
  partitions: [],
  sinks: [],
  recordsPerSecond: 0,
  history: [],
  isMeasured: true,
  guestRestarts: 0,
  ...changed,
});

const problem = { code: "kafka-tls", message: "at 10.0.0.3: s3cret", hint: "Check `tls`." };

describe("readiness", () => {
  test.each<[string, WorkerReport[] | undefined, string]>([
    ["before the workspace is open", undefined, "opening"],
    ["with nothing to run", [], "ready"],
    ["with a pipeline that runs", [report({})], "ready"],
    ["with one that waits for a server", [report({ backoffs: { source: problem } })], "ready"],
    ["with one that somebody paused", [report({ state: "paused" })], "ready"],
    ["with one that starts", [report({}), report({ state: "starting" })], "not ready"],
    ["with one that has halted", [report({}), report({ state: "halted", problem })], "not ready"],
  ])("%s", (_, reports, status) => {
    expect(readinessOf(reports).status).toBe(status);
  });

  test("names each pipeline with its state and problem, but not what a server said", () => {
    const { pipelines } = readinessOf([report({ state: "halted", problem })]);
    expect(pipelines).toEqual([
      {
        environment: "staging",
        name: "delays",
        release: "release-1",
        state: "halted",
        problem: { code: "kafka-tls", hint: "Check `tls`." },
      },
    ]);
  });
});

const health: Health = {
  reports: () => undefined,
  text: () => Promise.resolve("penstock_x 1\n"),
  contentType: "text/plain; version=0.0.4; charset=utf-8",
};

describe.each<["the server" | "a worker"]>([["the server"], ["a worker"]])("%s", (which) => {
  let port = 0;
  let worker: HealthServer | undefined;
  let server: Server | undefined;

  beforeAll(async () => {
    if (which === "a worker") {
      worker = unwrap(await serveHealth(0, health));
      port = Number(new URL(worker.url).port);
      return;
    }
    server = createHttpServer(newToken(), new Promise(() => {}), health);
    ({ port } = unwrap(await listen(server, { port: 0, isExplicit: false })));
  });
  afterAll(async () => {
    await worker?.close();
    server?.close();
  });

  function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
    return new Promise<{ status: number | undefined; type: string | undefined; text: string }>(
      (resolve, reject) => {
        const own = { host: `127.0.0.1:${port}`, ...headers };
        const call = request(
          { host: "127.0.0.1", port, path, method, headers: own },
          (response) => {
            let text = "";
            response.on("data", (chunk: Buffer) => (text += chunk.toString()));
            response.on("end", () =>
              resolve({
                status: response.statusCode,
                type: response.headers["content-type"],
                text,
              }),
            );
          },
        );
        call.on("error", reject);
        call.end();
      },
    );
  }

  test.each([
    ["/healthz", 200, "text/plain", "alive\n"],
    ["/readyz", 503, "application/json", '{"status":"opening","pipelines":[]}\n'],
    ["/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", "penstock_x 1\n"],
    ["/metrics?x=1", 200, "text/plain; version=0.0.4; charset=utf-8", "penstock_x 1\n"],
  ])(
    "answers %s without a token, while all else is still opening",
    async (path, status, type, text) => {
      expect(await ask(path)).toEqual({ status, type, text });
    },
  );

  test("is asked with GET or HEAD only", async () => {
    expect(await ask("/metrics", {}, "HEAD")).toMatchObject({ status: 200, text: "" });
    expect(await ask("/metrics", {}, "POST")).toMatchObject({ status: 405 });
  });

  test("answers to its own names only, and to containers of this machine", async () => {
    for (const name of ["localhost", "[::1]", "host.docker.internal"])
      expect(await ask("/metrics", { host: `${name}:${port}` })).toMatchObject({ status: 200 });
    for (const host of ["rebound.example", `rebound.example:${port}`, "host.docker.internal"])
      expect(await ask("/metrics", { host })).toMatchObject({ status: 421 });
  });

  test("tells no foreign page", async () => {
    const foreign = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
    expect(await ask("/readyz", foreign)).toMatchObject({ status: 403 });
    expect(await ask("/metrics", { origin: "https://evil.example" })).toMatchObject({
      status: 403,
    });
  });

  test("opens nothing else", async () => {
    for (const path of ["/", "/api/status", "/metrics/", "//metrics", "/healthz%2f..%2fapi"])
      expect((await ask(path)).status).toBe(which === "a worker" ? 404 : 401);
    const others = { host: `host.docker.internal:${port}` };
    if (which === "the server") expect((await ask("/api/status", others)).status).toBe(421);
  });
});

test("a port that is taken is a problem", async () => {
  const first = unwrap(await serveHealth(0, health));
  const second = await serveHealth(Number(new URL(first.url).port), health);
  expect(second).toMatchObject({ ok: false, problem: { code: "port-taken" } });
  await first.close();
});
