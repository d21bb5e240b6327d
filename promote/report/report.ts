import {
  diffKinds,
  type CausesResult,
  type DiffCause,
  type DiffColumn,
  type DiffKind,
  type DiffSample,
  type DiffSummary,
} from "#snapshots/diff.ts";
import type { MetricPair } from "../outcomes/answer.ts";

/** A diff and what was asked, as every format of a report tells it. */
export type DiffReport = {
  left: { text: string; label: string };
  right: { text: string; label: string };
  where?: string;
  summary: DiffSummary;
  /** How far causes were searched for; undefined where they were not. */
  search?: CausesResult["search"];
  /** Of two versions of a transform: what the notebook measures. */
  metrics?: MetricPair[];
  /** Where it was made, and what people said of it. */
  facts?: string[];
  /** What a reader has to know beside the figures. */
  remarks: string[];
};

/** Each kind is always drawn with its sign. */
export const signs = {
  equal: "=",
  changed: "~",
  added: "+",
  removed: "−",
  ambiguous: "?",
} as const;

export type Count = { kind: keyof typeof signs; rows: number; text: string };

/** The first thing a reader wants to know. */
export function answerOf({ identical, complete, rows, columns }: DiffSummary): string {
  const differences = differencesOf(rows);
  if (identical) return "identical";
  if (differences > 0) return complete ? "different" : "different, as far as was looked";
  if (!complete) return "no difference as far as was looked";
  return columns.some(isSchemaChange) ? "the same rows, but different columns" : "different";
}

export function differencesOf({ changed, added, removed, ambiguous }: DiffSummary["rows"]): number {
  return changed + added + removed + ambiguous.left + ambiguous.right;
}

/** The counts in the order of the sums they add up to. */
export function countsOf({ rows }: DiffSummary): Count[] {
  const { ambiguous } = rows;
  const keys = ambiguous.keys === 1 ? "1 key" : `${ambiguous.keys} keys`;
  return [
    { kind: "equal", rows: rows.equal, text: "equal" },
    { kind: "changed", rows: rows.changed, text: "changed" },
    { kind: "added", rows: rows.added, text: "added, right only" },
    { kind: "removed", rows: rows.removed, text: "removed, left only" },
    {
      kind: "ambiguous",
      rows: ambiguous.left + ambiguous.right,
      text:
        ambiguous.keys === 0
          ? "ambiguous"
          : `ambiguous, of ${keys} (${ambiguous.left} left, ${ambiguous.right} right)`,
    },
  ];
}

/** What each side's rows add up from: equal, changed, removed or added, ambiguous. */
export function sumsOf({
  rows,
}: DiffSummary): { side: "left" | "right"; total: number; parts: number[]; words: string }[] {
  const { equal, changed, added, removed, ambiguous } = rows;
  return [
    {
      side: "left",
      total: rows.left,
      parts: [equal, changed, removed, ambiguous.left],
      words: "equal + changed + removed + ambiguous",
    },
    {
      side: "right",
      total: rows.right,
      parts: [equal, changed, added, ambiguous.right],
      words: "equal + changed + added + ambiguous",
    },
  ];
}

/** Columns with something to say, those that changed most first; and how many have nothing. */
export function columnsOf({ columns }: DiffSummary): {
  telling: DiffColumn[];
  silent: number;
  ignored: DiffColumn[];
} {
  const telling = columns.filter((column) => column.changed > 0 || isSchemaChange(column));
  const ignored = columns.filter(({ status }) => status === "ignored");
  const silent = columns.filter(
    (column) => !telling.includes(column) && column.status === "compared",
  );
  return {
    telling: telling.toSorted((a, b) => b.changed - a.changed),
    silent: silent.length,
    ignored,
  };
}

function isSchemaChange({ status }: DiffColumn): boolean {
  return status === "added" || status === "removed" || status === "typeChanged";
}

/** A column's type on both sides. */
export function typeOf({ leftType, rightType }: DiffColumn): string {
  if (leftType === null || rightType === null || leftType === rightType)
    return rightType ?? leftType ?? "";
  return `${leftType} → ${rightType}`;
}

/** Share of the rows that were paired; empty where there are none. */
export function shareOf(changed: number, { rows }: DiffSummary): string {
  const paired = rows.equal + rows.changed;
  if (paired === 0) return "";
  const percent = (100 * changed) / paired;
  return changed > 0 && percent < 0.01 ? "< 0.01 %" : `${percent.toFixed(2)} %`;
}

/** How rows were paired, in words. */
export function pairingOf({ keys, byPosition }: DiffSummary): string {
  if (byPosition) return "Rows are paired by the input row they were made from.";
  if (keys.length > 0) return `Rows are paired by ${keys.join(", ")}.`;
  return "Rows are compared whole, as a multiset: no key says which belong together.";
}

/** What a cause is about and how well it covers that: `412 of 412 changed rows, no equal ones`. */
export function coverOf({ scope, why, covered, differences, equal }: DiffCause): string {
  const isPattern = why.kind !== "values" && why.kind !== "range";
  const beside = isPattern ? "" : equal === 0 ? "; no equal row" : `; and ${group(equal)} equal`;
  return `${group(covered)} of ${group(differences)} ${scopeText(scope)}${beside}`;
}

function scopeText(scope: DiffCause["scope"]): string {
  if (scope.kind === "all") return "differing rows";
  if (scope.kind === "changed" && scope.column !== undefined) return `changes of ${scope.column}`;
  return `${scope.kind} rows`;
}

/** What keeps a reader from taking the figures for all there is. */
export function remarksOf({ summary, search, remarks }: DiffReport): string[] {
  const searched =
    search === undefined || search.complete
      ? []
      : [
          `Causes: ${search.columns} of ${search.of} columns were looked at within ${search.budgetMs / 1000} s.`,
        ];
  return [...(summary.note === undefined ? [] : [summary.note]), ...searched, ...remarks];
}

/** A sample of a kind and how many there are of it. */
export type SampleGroup = { kind: DiffKind; of: number; samples: DiffSample[] };

export function sampleGroups({ rows, samples }: DiffSummary): SampleGroup[] {
  const totals: Record<DiffKind, number> = {
    changed: rows.changed,
    added: rows.added,
    removed: rows.removed,
    ambiguous: rows.ambiguous.left + rows.ambiguous.right,
  };
  return diffKinds
    .map((kind) => ({ kind, of: totals[kind], samples: samples[kind] }))
    .filter((group) => group.samples.length > 0);
}

/** A key's values for people; by position the part only where there are several. */
export function keyOf({ key }: DiffSample, { byPosition }: DiffSummary): unknown[] {
  return byPosition && key[1] === 0 ? key.slice(0, 1) : key;
}

/** What to show of a sample: the columns that changed before → after, or the whole row that is there. */
export type SampleCell = { column: string; before?: unknown; after?: unknown };

export function sampleCells(sample: DiffSample, keys: string[]): SampleCell[] {
  const { left, right, columns } = sample;
  if (left && right) {
    return columns.map((column) => ({ column, before: left[column], after: right[column] }));
  }
  const side = left ? "before" : "after";
  return Object.entries(left ?? right ?? {})
    .filter(([column]) => !keys.includes(column))
    .map(([column, value]) => ({ column, [side]: value }));
}

/** `Changed, the first 20 of 412` */
export function titleOf({ kind, of, samples }: SampleGroup): string {
  const name = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
  const shown = samples.length < of ? `the first ${group(samples.length)} of ` : "";
  return `${name}, ${shown}${group(of)}`;
}

export function renamesOf({ renameCandidates }: DiffSummary): string[] {
  return renameCandidates.map(
    ({ left, right, equal, rows }) =>
      `${left} may have been renamed ${right}: ${group(equal)} of ${group(rows)} values are equal.`,
  );
}

export function group(value: number): string {
  return value.toLocaleString("en-US");
}
