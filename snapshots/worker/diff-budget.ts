import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";

/** A time by which work is to end. The clock is the machine's; it starts when this is made. */
export type Budget = {
  ms: number;
  elapsed(): number;
  isOver(): boolean;
  /** What the work gives, or undefined where it was cut short at `share` of the budget. */
  within<T>(connection: Connection, work: () => Promise<T>, share?: number): Promise<T | undefined>;
};

export function startBudget(ms: number = Number.POSITIVE_INFINITY): Budget {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  return {
    ms,
    elapsed,
    isOver: () => elapsed() >= ms,
    async within(connection, work, share = 1) {
      if (!Number.isFinite(ms)) return work();
      const left = ms * share - elapsed();
      if (left <= 0) return undefined;
      let isCut = false;
      // An interrupt that comes between two statements stops neither: it is repeated until the work ends.
      let repeat: NodeJS.Timeout | undefined;
      const cut = () => {
        isCut = true;
        duckdb.interrupt(connection);
        repeat = setTimeout(cut, 5);
      };
      const timer = setTimeout(cut, left);
      try {
        return await work();
      } catch (error) {
        if (isCut) return undefined;
        throw error;
      } finally {
        clearTimeout(timer);
        clearTimeout(repeat);
      }
    },
  };
}
