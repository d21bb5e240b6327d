import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { tinyWorkspace } from "#web/api/tiny-workspace.ts";
import { apiPages } from "#web/server/api-pages.ts";
import { serve, type Served } from "#web/server/serve.ts";
import { writeServerFile } from "#web/server/server-file.ts";

const launcher = fileURLToPath(new URL("./penstock.mjs", import.meta.url));
let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;
let served: Served;

beforeAll(async () => {
  tiny = await tinyWorkspace();
  served = unwrap(
    await serve({
      workspace: tiny.dir,
      port: 0,
      isPortExplicit: true,
      openBrowser: false,
      pages: apiPages,
      say: () => {},
    }),
  );
});

afterAll(() => tiny.remove());

function penstock(
  arguments_: string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [launcher, ...arguments_], { cwd: tiny.dir });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

test("where a server holds the workspace, the command line works through it", async () => {
  const froze = await penstock(["freeze", "trips", "--label", "one", "--json"]);
  expect(JSON.parse(froze.stdout)).toMatchObject({ reused: false, snapshot: { rows: 200 } });
  expect(froze).toMatchObject({ code: 0, stderr: "" });
  const status = await penstock(["status", "--json"]);
  expect(JSON.parse(status.stdout)).toMatchObject({
    server: { pid: process.pid, url: served.url },
    snapshots: [{ name: "trips@one" }],
  });
  const problem = await penstock(["freeze", "nope", "--label", "one"]);
  expect(problem.code).toBe(2);
  expect(problem.stderr).toContain("There are: trips.");
});

test("a diff reads its file from where we are, and what lies in the workspace through the server", async () => {
  const ran = await penstock(["diff", "trips@one", "data/trips.csv", "--format", "json"]);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    identical: true,
    keys: ["id"],
    rows: { equal: 200 },
  });
  expect(ran.code).toBe(0);
});

test("a second open says where the workspace is served already", async () => {
  const { code, stdout } = await penstock(["open", "--no-open"]);
  expect(code).toBe(0);
  expect(stdout).toContain(`served already, by pid ${process.pid}`);
  expect(stdout).toContain(served.url);
});

test("a file left by a killed server is not trusted: the workspace is opened here", async () => {
  await served.close();
  const file = `${tiny.dir}/.penstock/server.json`;
  // The pid lives, but nobody at the port knows the token.
  writeServerFile(file, { pid: process.pid, port: served.port, token: "x".repeat(43) });
  const { code, stdout } = await penstock(["status"]);
  expect(code).toBe(0);
  expect(stdout).toContain("not served");
  rmSync(file);
});
