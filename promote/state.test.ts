import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { spawn } from "node:child_process";
import { holdWorkspace } from "./lock.ts";
import { openState } from "./state.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-state-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = new Date("2026-11-21T00:00:00Z");

test("what was written is there after a restart, and a run cut short says so", () => {
  const path = join(folder, "state.db");
  const state = openState(path);
  const finished = state.beginRun({ kind: "build", subject: "delays", at });
  state.endRun(finished, { status: "done", at, details: { rows: 3 } });
  state.beginRun({ kind: "compare", subject: "delays", at });
  state.audit({
    at,
    by: "Ada",
    action: "promote",
    environment: "staging",
    transform: "delays",
    release: "ab",
    commit: "cd",
    details: null,
  });
  state.putComparison({ id: "c1", document: { id: "c1", rows: 1 } });
  state.putComparison({ id: "c0", document: { id: "c0" } });
  state.askComparison("c1", at);
  state.close();

  const again = openState(path);
  expect(again.runs(10)).toMatchObject([
    { kind: "compare", status: "failed", details: { reason: expect.stringContaining("stopped") } },
    { kind: "build", status: "done", details: { rows: 3 } },
  ]);
  expect(again.auditRows({ transform: "delays", limit: 10 })).toMatchObject([
    { by: "Ada", action: "promote", release: "ab", commit: "cd" },
  ]);
  expect(again.auditRows({ environment: "production", limit: 10 })).toEqual([]);
  expect(again.comparison("c1")).toEqual({ id: "c1", rows: 1 });
  expect(again.comparison("c2")).toBeUndefined();
  expect(again.recentComparisons(10)).toEqual([
    { askedAt: at.toISOString(), document: { id: "c1", rows: 1 } },
  ]);
  again.close();
});

test("one process holds a workspace; a killed one lets go of it", async () => {
  const held = join(folder, "held");
  const script = `
    const { holdWorkspace } = await import(process.argv[1]);
    const lock = holdWorkspace(process.argv[2]);
    console.log(lock.ok);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, [
    "--input-type=module",
    "-e",
    script,
    new URL("./lock.ts", import.meta.url).href,
    held,
  ]);
  const line = await new Promise<string>((resolve) =>
    child.stdout.once("data", (data: Buffer) => resolve(data.toString())),
  );
  expect(line.trim()).toBe("true");
  expect(holdWorkspace(held)).toMatchObject({
    ok: false,
    problem: { code: "workspace-held", message: expect.stringContaining(`pid ${child.pid}`) },
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
  const lock = holdWorkspace(held);
  expect(lock.ok).toBe(true);
  if (lock.ok) lock.value.release();
});
