// What the operating system says of a process: its command line, its memory, whether it is stopped.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** `{ command, memoryBytes, isFrozen }` of a living process, or undefined. A zombie counts as dead. */
export function describeProcess(pid) {
  if (process.platform === "linux") return fromProc(pid);
  if (process.platform === "win32") return fromWindows(pid);
  return fromPs(pid);
}

function fromProc(pid) {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    if (command === "") return undefined;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return {
      command,
      memoryBytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024,
      isFrozen: /^State:\s+T/m.test(status),
    };
  } catch {
    return undefined;
  }
}

function fromPs(pid) {
  const ran = spawnSync("ps", ["-ww", "-o", "stat=,rss=,command=", "-p", String(pid)], {
    encoding: "utf8",
  });
  const [, state, kilobytes, command] = /^\s*(\S+)\s+(\d+)\s+(.*\S)/.exec(ran.stdout ?? "") ?? [];
  if (!command || state.startsWith("Z")) return undefined;
  return { command, memoryBytes: Number(kilobytes) * 1024, isFrozen: state.startsWith("T") };
}

function fromWindows(pid) {
  const script = `Get-CimInstance Win32_Process -Filter "ProcessId=${pid}" | Select-Object CommandLine,WorkingSetSize | ConvertTo-Json`;
  const ran = spawnSync("powershell", ["-NoProfile", "-Command", script], { encoding: "utf8" });
  if (!ran.stdout?.trim()) return undefined;
  const { CommandLine: command, WorkingSetSize: memoryBytes } = JSON.parse(ran.stdout);
  return command ? { command, memoryBytes, isFrozen: false } : undefined;
}
