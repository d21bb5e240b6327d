import type { CauseCondition } from "../diff.ts";

/** How often a column holds a value: in all rows of the left side, and in the differences of a scope. */
export type ValueCount = { value: string | null; rows: number; differences: number };

const mostValues = 6;
const mostSingles = 3;
/** A cause is to cover a fifth of the differences at least. */
const leastShare = 0.2;

/**
 * Conditions on a column that may explain differences, from how often it holds each of its values, in their order. Values that differ most often are taken
 * together; of ordered values, also the run from the first to the last that differs, and the run that best parts what differs from what does not.
 */
export function conditionsOf(
  column: string,
  counts: ValueCount[],
  isOrdered: boolean,
): CauseCondition[] {
  const total = sum(counts.map((count) => count.differences));
  const differing = counts.filter((count) => count.differences > 0);
  if (total === 0) return [];
  const singles = differing
    .filter((count) => count.differences >= total * leastShare)
    .toSorted((a, b) => b.differences - a.differences)
    .slice(0, mostSingles)
    .map((count): CauseCondition => values(column, [count]));
  const together = purest(differing, total);
  return [
    ...singles,
    ...(together.length > 1 && together.length <= mostValues ? [values(column, together)] : []),
    ...(isOrdered ? ranges(column, counts) : []),
  ];
}

function values(column: string, counts: ValueCount[]): CauseCondition {
  return { kind: "values", column, values: counts.map((count) => count.value) };
}

/** The values that differ most often, until nearly all differences are covered. */
function purest(differing: ValueCount[], total: number): ValueCount[] {
  const chosen: ValueCount[] = [];
  let covered = 0;
  const share = ({ differences, rows }: ValueCount) => differences / Math.max(rows, differences);
  for (const count of differing.toSorted((a, b) => share(b) - share(a))) {
    if (covered >= total * 0.995) break;
    chosen.push(count);
    covered += count.differences;
  }
  return differing.filter((count) => chosen.includes(count));
}

function ranges(column: string, counts: ValueCount[]): CauseCondition[] {
  const ordered = counts.filter((count) => count.value !== null);
  const first = ordered.findIndex((count) => count.differences > 0);
  const last = ordered.findLastIndex((count) => count.differences > 0);
  const spans = [[first, last], bestRun(ordered)];
  return spans.flatMap(([from = -1, to = -1], i): CauseCondition[] => {
    const [low, high] = [ordered[from]?.value, ordered[to]?.value];
    const isSame = i > 0 && from === first && to === last;
    if (typeof low !== "string" || typeof high !== "string" || from === to || isSame) return [];
    return [{ kind: "range", column, from: low, to: high }];
  });
}

/** The run of values with the most of the differences less the most of the rest (Kadane, "maximum subarray"). */
function bestRun(counts: ValueCount[]): [number, number] {
  const differences = sum(counts.map((count) => count.differences)) || 1;
  const rest = sum(counts.map((count) => Math.max(0, count.rows - count.differences))) || 1;
  let best = { from: -1, to: -1, gain: 0 };
  let run = { from: 0, gain: 0 };
  for (const [i, count] of counts.entries()) {
    if (run.gain <= 0) run = { from: i, gain: 0 };
    run.gain +=
      count.differences / differences - Math.max(0, count.rows - count.differences) / rest;
    if (run.gain > best.gain) best = { from: run.from, to: i, gain: run.gain };
  }
  // A run ends where something differs.
  while (best.to > best.from && counts[best.to]?.differences === 0) best.to -= 1;
  while (best.from < best.to && counts[best.from]?.differences === 0) best.from += 1;
  return [best.from, best.to];
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
