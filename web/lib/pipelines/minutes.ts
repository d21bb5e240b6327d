import type { HistoryRow } from "#promote/sync/expectations/history.ts";

export type Severity = "flag" | "deadLetter" | "halt";

/** How one expectation fared, minute by minute up to its newest: records that are caught up with have minutes of long ago. */
export type Fared = {
  name: string;
  /** Undefined: the source does not ask for it any more. */
  severity?: Severity;
  checked: number;
  failed: number;
  example?: string;
  exampleAt?: string;
  isCutShort: boolean;
  /** Oldest first; undefined where nothing was checked. */
  minutes: ({ at: string; checked: number; failed: number } | undefined)[];
};

const MINUTE_MS = 60_000;

export function fared(
  rules: readonly { name: string; severity: Severity }[],
  history: readonly HistoryRow[],
  shown = 60,
): Fared[] {
  const names = [
    ...new Set([...rules.map(({ name }) => name), ...history.map((row) => row.expectation)]),
  ];
  return names.map((name): Fared => {
    const rule = rules.find((each) => each.name === name);
    const own = history.filter((row) => row.expectation === name);
    const newest = Math.max(0, ...own.map(({ at }) => Date.parse(at)));
    const first = newest - (shown - 1) * MINUTE_MS;
    const rows = own.filter((row) => Date.parse(row.at) >= first);
    const byMinute = new Map(rows.map((row) => [Date.parse(row.at), row]));
    const told = rows.filter((row) => row.example !== null);
    const withExample = told.findLast((row) => row.failed > 0) ?? told.at(-1);
    return {
      name,
      ...(rule ? { severity: rule.severity } : {}),
      checked: rows.reduce((sum, row) => sum + row.checked, 0),
      failed: rows.reduce((sum, row) => sum + row.failed, 0),
      ...(withExample?.example ? { example: withExample.example, exampleAt: withExample.at } : {}),
      isCutShort: rows.some((row) => row.isCutShort),
      minutes: Array.from({ length: shown }, (_, i) => {
        const row = byMinute.get(first + i * MINUTE_MS);
        return row && { at: row.at, checked: row.checked, failed: row.failed };
      }),
    };
  });
}
