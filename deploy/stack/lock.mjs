// One start or stop at a time, across processes.
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StackProblem } from "./problem.mjs";

const patienceMs = 300_000;

/** Runs `action` while nobody else starts or stops servers of this stack. */
export async function withLock(home, action) {
  makeFolder(home);
  const path = join(home, "lock");
  const until = Date.now() + patienceMs;
  while (!take(path)) {
    if (Date.now() > until) {
      throw new StackProblem(
        `Another process has been starting or stopping servers for 5 minutes. Wait for it, or delete ${path}.`,
      );
    }
    await delay(100);
  }
  try {
    return await action();
  } finally {
    rmSync(path, { force: true });
  }
}

function makeFolder(home) {
  try {
    mkdirSync(home, { recursive: true });
    accessSync(home, constants.W_OK);
  } catch (error) {
    throw new StackProblem(
      `${home} cannot be written (${error.code}). Make it writable, or name another folder in PENSTOCK_STACK_HOME.`,
    );
  }
}

function take(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    if (!isHeld(path)) rmSync(path, { force: true });
    return false;
  }
}

function isHeld(path) {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // An empty file is one that is being written.
    if (pid > 0) process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
