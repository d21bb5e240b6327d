import { fail, type Problem } from "#snapshots/problem.ts";
import type { Sink } from "./ports.ts";

/** A sink whose connection cannot be used, say for want of a password: it says why whenever it is asked. */
export function unopenedSink(name: string, problem: Problem): Sink {
  return {
    name,
    plan: async () => fail(problem),
    prepare: async () => problem,
    write: async (batch) => Array.from({ length: batch.count }, () => ({ kind: "halt", problem })),
    count: async () => 0,
    async *scan() {},
    close: async () => undefined,
  };
}
