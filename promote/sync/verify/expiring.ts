import type { LedgerRow } from "../embedded/row-ledger.ts";

/** Sinks let go of a row some time around its moment: at Cassandra's second, by a clock of its own. */
const BEFORE_MS = 60_000;
/** As long as reading the sinks may take. */
const AFTER_MS = 3_600_000;

/** Of rows, those that live; `soon`: identities whose rows go while the sinks are read, so that they cannot be judged. */
export type Expiring = <T extends LedgerRow>(
  rows: readonly T[],
  soon: (key: string) => void,
) => T[];

/** `expiresAt`: the column that says when a row expires. */
export function openExpiring(expiresAt: string | undefined, nowMs: number): Expiring {
  if (expiresAt === undefined) return (rows) => [...rows];
  return (rows, soon) =>
    rows.map((row) => {
      const ms = row.row === null ? Infinity : momentOf(row.row, expiresAt);
      if (ms < nowMs - BEFORE_MS) return { ...row, row: null };
      if (ms < nowMs + AFTER_MS) soon(row.key);
      return row;
    });
}

/** Milliseconds since 1970; a row without a moment lives for ever. */
function momentOf(row: string, column: string): number {
  const values = new Map(JSON.parse(row) as [string, unknown][]); // as ledger-rows.ts writes it
  const text = values.get(column);
  if (typeof text !== "string") return Infinity;
  const hasZone = text.endsWith("Z") || !text.includes("T");
  const ms = Date.parse(hasZone ? text : `${text}Z`);
  return Number.isNaN(ms) ? Infinity : ms;
}
