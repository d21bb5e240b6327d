import { readdirSync, readFileSync } from "node:fs";

export type Usage = { cpuSeconds: number; bytes: number };

/** Whether `processesUsage` knows what the guest uses. */
export const seesGuest = process.platform === "linux";

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Processor time and resident memory of this process and, on Linux, of its children: proc_pid_stat(5). */
export function processesUsage(): Usage {
  const { user, system } = process.cpuUsage();
  const usage = { cpuSeconds: (user + system) / 1e6, bytes: process.memoryUsage.rss() };
  if (!seesGuest) return usage;
  for (const fields of children()) {
    usage.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    usage.bytes += Number(fields[21]) * PAGE_BYTES;
  }
  return usage;
}

/** A child's `stat` from its third field on: the second is the program's name and may hold anything. */
function children(): string[][] {
  return readdirSync("/proc/self/task").flatMap((thread) => {
    const listed = read(`/proc/self/task/${thread}/children`).split(" ");
    return listed
      .filter((pid) => pid !== "")
      .map((pid) => {
        const stat = read(`/proc/${pid}/stat`);
        return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      })
      .filter((fields) => fields.length > 21);
  });
}

/** Whoever has just ended has no file any more. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
