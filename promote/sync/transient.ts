import type { Problem } from "#snapshots/problem.ts";

const CURED_BY_WAITING = new Set([
  "server-away",
  "kafka-unavailable",
  "sink-unreachable",
  "elasticsearch-unreachable",
  "elasticsearch-busy",
  "elasticsearch-blocked",
  "elasticsearch-disk-full",
  "elasticsearch-not-settled",
]);

/** Whether a problem of an adapter is one that waiting may cure: a server is away or busy. The others need a person. */
export function isTransient({ code }: Problem): boolean {
  return CURED_BY_WAITING.has(code);
}
