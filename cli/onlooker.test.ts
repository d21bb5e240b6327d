import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tinyWorkspace } from "#web/api/tiny-workspace.ts";

const launcher = fileURLToPath(new URL("./penstock.mjs", import.meta.url));
let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;

beforeAll(async () => {
  tiny = await tinyWorkspace();
});
afterAll(() => tiny.remove());

function penstock(arguments_: string[], env = {}): ChildProcess & { told: () => string } {
  const child = spawn(process.execPath, [launcher, ...arguments_], {
    cwd: tiny.dir,
    env: { ...process.env, ...env },
  });
  let told = "";
  child.stderr.on("data", (chunk: Buffer) => (told += chunk.toString()));
  child.stdout.resume();
  return Object.assign(child, { told: () => told });
}

test("a process that runs pipelines serves its health where it says, and logs nothing but lines of JSON", async () => {
  const child = penstock(["sync", "--json", "--metrics-port", "0", "--log", "json"]);
  while (!child.told().includes("\n")) await once(child.stderr ?? child, "data");
  const [first = ""] = child.told().split("\n");
  const { message, ...fields } = JSON.parse(first) as Record<string, string>;
  expect(fields).toMatchObject({ "event.action": "metrics-served", "log.level": "info" });
  const url = /http:\S+(?=\/metrics)/.exec(message ?? "")?.[0] ?? "";
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  while ((await fetch(`${url}/readyz`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    "# TYPE penstock_lag_records gauge",
  );
  child.kill("SIGTERM");
  await once(child, "close");
  for (const line of child.told().trim().split("\n"))
    expect(() => void JSON.parse(line)).not.toThrow();
});

test.each([
  [["sync", "--metrics-port", "x"], {}, "Give a number from 0 to 65535"],
  [["sync", "--log", "xml"], {}, "Allowed choices are json"],
  [["sync"], { PENSTOCK_LOG: "yes" }, "Set PENSTOCK_LOG to json or leave it out"],
])("%j with %j says what to do", async (arguments_, env, says) => {
  const child = penstock(arguments_, env);
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(2);
  expect(child.told()).toContain(says);
});
