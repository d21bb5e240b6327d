import type { Client } from "cassandra-driver";
import { types } from "cassandra-driver";
import { quoteCql } from "./column-names.ts";
import type { CassandraTable } from "./table-plan.ts";
import { tokenRanges } from "./token-ranges.ts";

const RANGES = 64;

/**
 * Rows of a table, counted range by range through the token ring until `budgetMs` is spent. A table too big for that is estimated from the
 * part that was counted: hashing spreads the rows evenly over the ring.
 */
export async function estimateCount(
  client: Client,
  table: CassandraTable,
  budgetMs: number,
  now: () => number,
): Promise<number> {
  const token = `token(${table.keys.flatMap((f) => f.physical.map(quoteCql)).join(", ")})`;
  const query = `select count(*) as rows from ${table.name} where ${token} > ? and ${token} <= ?`;
  const began = now();
  let counted = 0;
  let ranges = 0;
  for (const { after, to } of tokenRanges(RANGES)) {
    const options = { prepare: true, consistency: types.consistencies.localOne };
    const found = await client.execute(query, [after, to], options);
    counted += Number(found.rows[0]?.["rows"] ?? 0);
    ranges++;
    if (now() - began > budgetMs) break;
  }
  return ranges === RANGES ? counted : Math.round((counted * RANGES) / ranges);
}

const BUDGET_MS = 1000;
/** Of the time, at most this share goes into counting. */
const SHARE = 0.05;

/** The last count; made anew in the background when asked for and due. What cannot be counted now keeps the last known number. */
export function rememberedCount(
  estimate: (budgetMs: number) => Promise<number>,
  now: () => number,
): () => Promise<number> {
  let last: number | undefined;
  let dueAt = 0;
  let running: Promise<number> | undefined;
  const refresh = async (): Promise<number> => {
    const began = now();
    // A failure is no news here: writes tell what is wrong with the cluster.
    const counted = await estimate(BUDGET_MS).catch(() => undefined);
    last = counted ?? last;
    dueAt = now() + (now() - began) / SHARE;
    running = undefined;
    return last ?? 0;
  };
  return async () => {
    if (running === undefined && now() >= dueAt) running = refresh();
    return last ?? (await running) ?? 0;
  };
}
