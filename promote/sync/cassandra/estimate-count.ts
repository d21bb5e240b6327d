import { setTimeout as delay } from "node:timers/promises";
import { types, type Client } from "cassandra-driver";
import { quoteCql } from "./column-names.ts";
import type { CassandraTable } from "./table-plan.ts";
import { tokenRanges, type TokenRange } from "./token-ranges.ts";

/** How many rows lie in a part of the token ring. */
export type CountRange = (range: TokenRange) => Promise<number>;

export function countRange(client: Client, table: CassandraTable): CountRange {
  const token = `token(${table.keys.flatMap((f) => f.physical.map(quoteCql)).join(", ")})`;
  const query = `select count(*) as rows from ${table.name} where ${token} > ? and ${token} <= ?`;
  const options = { prepare: true, consistency: types.consistencies.localOne };
  return async ({ after, to }) => {
    const found = await client.execute(query, [after, to], options);
    return Number(found.rows[0]?.["rows"] ?? 0);
  };
}

/** Of counting itself, for one count. */
const BUDGET_MS = 1000;
/** Of the time, at most this share goes into counting. */
const SHARE = 0.05;
/** Counting goes on this long before it rests: a small table is counted in one go, so that its number is fresh. */
const BURST_MS = 50;
/** Few enough that writes hardly wait behind them. */
const ROWS_AT_ONCE = 5000;
/** Where nobody knows yet how many rows there are. */
const FIRST_RANGES = 64;
const MOST_RANGES = 8192;

/**
 * Rows of a table, counted range by range through the token ring. A table too big for the budget is estimated from the part that was
 * counted: hashing spreads the rows evenly over the ring. `afterRange` is told how long each range took.
 */
async function estimateCount(
  count: CountRange,
  ranges: number,
  now: () => number,
  afterRange: (ms: number) => Promise<void>,
): Promise<number> {
  let rows = 0;
  let done = 0;
  let spentMs = 0;
  for (const range of tokenRanges(ranges)) {
    const began = now();
    rows += await count(range);
    const ms = now() - began;
    done++;
    spentMs += ms;
    await afterRange(ms);
    if (spentMs > BUDGET_MS) break;
  }
  return done === ranges ? rows : Math.round((rows * ranges) / done);
}

/**
 * The last count. The first is waited for; it is made anew in the background when asked for, a little at a time. What cannot be counted now,
 * or not yet (`counting` gives nothing), keeps the last known number.
 */
export function rememberedCount(
  counting: () => CountRange | undefined,
  now: () => number,
  pause = (ms: number): Promise<void> => delay(ms, undefined, { ref: false }),
): () => Promise<number> {
  let last: number | undefined;
  let running: Promise<number> | undefined;
  /** Spent on counting since it last rested. */
  let unrestedMs = 0;

  function rest(): Promise<void> {
    const ms = unrestedMs / SHARE;
    unrestedMs = 0;
    return pause(ms);
  }
  async function afterRange(ms: number): Promise<void> {
    if (last === undefined) return;
    unrestedMs += ms;
    if (unrestedMs >= BURST_MS) await rest();
  }
  async function refresh(count: CountRange): Promise<number> {
    const wanted = last === undefined ? FIRST_RANGES : Math.ceil(last / ROWS_AT_ONCE);
    const ranges = Math.min(MOST_RANGES, Math.max(1, wanted));
    // A failure is no news here: writes tell what is wrong with the cluster.
    const counted = await estimateCount(count, ranges, now, afterRange).catch(() => undefined);
    last = counted ?? last;
    // What was counted is told before the rest that it costs.
    void rest().then(() => (running = undefined));
    return last ?? 0;
  }
  return async () => {
    const count = counting();
    if (count === undefined) return last ?? 0;
    running ??= refresh(count);
    return last ?? running;
  };
}
