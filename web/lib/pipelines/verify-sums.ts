import type { LedgerCounts, LedgerDifference } from "#promote/sync/embedded/row-ledger.ts";
import type { RepairPlan } from "#promote/sync/verify/repair.ts";
import { count, counted } from "../format.ts";

export type Term = {
  name: "equal" | "changed" | "removed" | "added" | "unverifiable" | "moving";
  value: number;
};

/** Both sums of a sink. should = equal + changed + removed + moving; is = equal + changed + added + unverifiable + moving. */
export function sums(counts: LedgerCounts): { should: Term[]; is: Term[]; bar: Term[] } {
  const { equal, changed, removed, added, unverifiable, moving } = counts;
  const term = (name: Term["name"], value: number): Term => ({ name, value });
  return {
    should: [
      term("equal", equal),
      term("changed", changed),
      term("removed", removed),
      term("moving", moving.left),
    ],
    is: [
      term("equal", equal),
      term("changed", changed),
      term("added", added),
      term("unverifiable", unverifiable),
      term("moving", moving.right),
    ],
    bar: [
      term("equal", equal),
      term("changed", changed),
      term("removed", removed),
      term("added", added),
      term("unverifiable", unverifiable),
      term("moving", Math.max(moving.left, moving.right)),
    ],
  };
}

export type Column = { name: string; should?: string; is?: string };

/** A difference by column: of a changed row those that differ, else all. */
export function columnsOf({ kind, expected, found }: LedgerDifference): Column[] {
  const [should, is] = [valuesOf(expected?.row), valuesOf(found?.row)];
  const names = [...new Set([...should.keys(), ...is.keys()])];
  const all = names.map((name): Column => {
    const [one, other] = [should.get(name), is.get(name)];
    return {
      name,
      ...(one === undefined ? {} : { should: one }),
      ...(other === undefined ? {} : { is: other }),
    };
  });
  return kind === "changed" ? all.filter((column) => column.should !== column.is) : all;
}

/** A ledger's row is a JSON array of [name, value] pairs. */
function valuesOf(row: string | undefined): Map<string, string> {
  if (row === undefined) return new Map();
  const pairs: unknown = JSON.parse(row);
  if (!Array.isArray(pairs)) return new Map();
  return new Map(
    pairs.flatMap((pair: unknown): [string, string][] =>
      Array.isArray(pair) ? [[String(pair[0]), JSON.stringify(pair[1])]] : [],
    ),
  );
}

/** What a repair would do, a line each. */
export function planLines(plan: RepairPlan): string[] {
  return [
    ...plan.partitions.map(
      ({ topic, partition, identities }) =>
        `${counted(identities, "identity", "identities")} of \`${topic}\`, partition ${partition}, written again from their records`,
    ),
    ...plan.strays.map(
      ({ sink, documents }) =>
        `${counted(documents, "document")} of \`${sink}\` deleted: of no identity, written by somebody else`,
    ),
    ...(plan.clears > 0
      ? [`${counted(plan.clears, "row")} removed, which no record of the topic accounts for`]
      : []),
  ];
}

export function differencesIn({ changed, removed, added }: LedgerCounts): number {
  return changed + removed + added;
}

/** The answer in a sentence. */
export function sentenceOf(sinks: readonly { sink: string; counts: LedgerCounts }[]): string {
  const off = sinks.filter(({ counts }) => differencesIn(counts) > 0);
  const rows = sinks.map(({ sink, counts }) => `${count(counts.equal)} in ${sink}`).join(", ");
  if (off.length === 0) return `Every row is what the topic says: ${rows}.`;
  return `${off.map(({ sink, counts }) => `${sink} has ${counted(differencesIn(counts), "difference")}`).join(", ")}.`;
}
