import type { HistoryRow } from "#promote/sync/expectations/history.ts";

export type Severity = "flag" | "deadLetter" | "halt";

/** How one expectation fared, minute by minute up to the newest minute of all. */
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
  const newest = Math.max(0, ...history.map(({ at }) => Date.parse(at)));
  const first = newest - (shown - 1) * MINUTE_MS;
  const names = [
    ...new Set([...rules.map(({ name }) => name), ...history.map((row) => row.expectation)]),
  ];
  return names.map((name): Fared => {
    const rule = rules.find((each) => each.name === name);
    const rows = history.filter((row) => row.expectation === name && Date.parse(row.at) >= first);
    const byMinute = new Map(rows.map((row) => [Date.parse(row.at), row]));
    const withExample = rows.findLast((row) => row.example !== null);
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
