import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { closeSpareGuests, openGuestProcess, type GuestProcess } from "./guest-process.ts";

const isLinux = process.platform === "linux";
const hasPrlimit = isLinux && existsSync("/usr/bin/prlimit");

function ending(guest: GuestProcess): Promise<{ code: string }> {
  return new Promise((resolve) => {
    guest.listen({ frame: () => undefined, ended: resolve });
  });
}

test.runIf(hasPrlimit)(
  "a process without a free file descriptor is told that no guest starts, and goes on",
  async () => {
    // Finds its tools while it still can.
    openGuestProcess("slice").kill({ code: "done", message: "" });
    await new Promise(setImmediate);
    await closeSpareGuests();
    const [, soft] = /Max open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    const prlimit = `prlimit --pid ${process.pid} --nofile`;
    const restore = spawn("sh", ["-c", `read line; ${prlimit}=${soft}:`]);
    spawnSync("sh", ["-c", `${prlimit}=3:`]);
    const guest = openGuestProcess("slice");
    // Starting the spare fails just so.
    await new Promise(setImmediate);
    restore.stdin.end("now\n");
    await once(restore, "close");
    expect(await ending(guest)).toMatchObject({ code: "guest-start" });
    const next = openGuestProcess("slice");
    expect(next.isAlive).toBe(true);
    next.kill({ code: "done", message: "" });
    await closeSpareGuests();
  },
);

test.runIf(isLinux)("a guest that another process kills says so", async () => {
  const guest = openGuestProcess("slice");
  const end = ending(guest);
  if (guest.pid !== undefined) process.kill(guest.pid, "SIGKILL");
  expect(await end).toMatchObject({ code: "guest-killed" });
  await closeSpareGuests();
});
