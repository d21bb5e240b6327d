import { readdirSync, readFileSync } from "node:fs";

export type Usage = { cpuSeconds: number; bytes: number };

/** Whether `processesUsage` knows what the guest uses. */
export const seesGuest = process.platform === "linux";

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Processor time and resident memory of this process and, on Linux, of its children and theirs (a guest may stand in a sandbox's process): proc_pid_stat(5). */
export function processesUsage(): Usage {
  const { user, system } = process.cpuUsage();
  const usage = { cpuSeconds: (user + system) / 1e6, bytes: process.memoryUsage.rss() };
  if (!seesGuest) return usage;
  for (const fields of descendants("self")) {
    usage.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    usage.bytes += Number(fields[21]) * PAGE_BYTES;
  }
  return usage;
}

/** The `stat` of each from its third field on: the second is the program's name and may hold anything. */
function descendants(of: string): string[][] {
  return threadsOf(of).flatMap((thread) => {
    const listed = read(`/proc/${of}/task/${thread}/children`).split(" ");
    return listed
      .filter((pid) => pid !== "")
      .flatMap((pid) => {
        const stat = read(`/proc/${pid}/stat`);
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return fields.length > 21 ? [fields, ...descendants(pid)] : [];
      });
  });
}

function threadsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Whoever has just ended has no file any more. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
