import type { Connection } from "@duckdb/node-bindings";
import type { RenameCandidate } from "../diff.ts";
import { queryTexts } from "./database.ts";
import type { DiffPlan, PlannedColumn } from "./diff-plan.ts";
import { keyNames, sameValues } from "./diff-sql.ts";

const sampleRows = 10_000;
const mostPairs = 400;
const likely = 0.95;

/**
 * Columns of which one side only has each and which are likely one: of one type, and with equal values in nearly all of some rows that belong
 * together by a key found once on each side. Offered, never assumed.
 */
export async function renameCandidates(
  connection: Connection,
  plan: DiffPlan,
): Promise<RenameCandidate[]> {
  if (plan.keyCount === 0) return [];
  const pairs = alone(plan, "removed").flatMap((left) =>
    alone(plan, "added")
      .filter((right) => left.leftType === right.rightType)
      .map((right) => ({ left: left.name, right: right.name, type: left.leftType ?? "" })),
  );
  if (pairs.length === 0) return [];
  const chosen = pairs.slice(0, mostPairs);
  const figures = chosen.flatMap(({ left, right }) => {
    const [a, b] = [`l.v${placeOf(plan, "left", left)}`, `r.v${placeOf(plan, "right", right)}`];
    return [
      `count(*) FILTER (WHERE ${a} IS NOT DISTINCT FROM ${b})`,
      `count(*) FILTER (WHERE ${a} = ${b})`,
    ];
  });
  const keys = keyNames(plan);
  const [[rows = "0", ...counts] = []] = await queryTexts(
    connection,
    `WITH chosen AS (SELECT DISTINCT ${keys.join(", ")} FROM (${plan.left.keyedSql} LIMIT ${sampleRows})), l AS (${onceSql(plan, "left", chosen)}), r AS (${onceSql(plan, "right", chosen)})
    SELECT ${["count(*)", ...figures].map((sql) => `(${sql})::VARCHAR`).join(", ")} FROM l JOIN r ON ${sameValues(keys, "l", "r")}`,
  );
  const matched = chosen.map((pair, i) => ({
    ...pair,
    equal: Number(counts[i * 2]),
    rows: Number(rows),
    values: Number(counts[i * 2 + 1]),
  }));
  return matched
    .filter(({ equal, values, rows }) => values > 0 && equal >= rows * likely)
    .toSorted((a, b) => b.equal - a.equal)
    .map(({ left, right, type, equal, rows }) => ({ left, right, type, equal, rows }));
}

/** The rows of a side whose key is among `chosen`, and on that side once: keys that many rows share would multiply into a join without end. */
function onceSql(
  plan: DiffPlan,
  side: "left" | "right",
  pairs: { left: string; right: string }[],
): string {
  const keys = keyNames(plan);
  const places = new Set(pairs.map((pair) => placeOf(plan, side, pair[side])));
  const columns = [
    ...keys.map((key) => `s.${key}`),
    ...[...places].map((place) => `first(s.v${place}) AS v${place}`),
  ];
  return `SELECT ${columns.join(", ")} FROM (${plan[side].keyedSql}) s JOIN chosen ON ${sameValues(keys, "s", "chosen")} GROUP BY ${keys.map((key) => `s.${key}`).join(", ")} HAVING count(*) = 1`;
}

function alone(plan: DiffPlan, status: PlannedColumn["status"]): PlannedColumn[] {
  return plan.columns.filter((column) => column.status === status);
}

function placeOf(plan: DiffPlan, side: "left" | "right", name: string): number {
  return plan[side].side.columns.findIndex((column) => column.name === name);
}
