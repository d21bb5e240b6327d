import type { Connection } from "@duckdb/node-bindings";
import type { DiffKind } from "../diff.ts";
import { readJson, fieldOf, type Field } from "./diff-values.ts";
import type { DiffPlan, PlannedSide } from "./diff-plan.ts";
import { amongSql, keyNames } from "./diff-sql.ts";

/** A difference with its rows' values, as JSON carries them. */
export type Difference = {
  kind: DiffKind;
  key: unknown[];
  left: Record<string, unknown> | null;
  right: Record<string, unknown> | null;
  changed: string[];
};

/** The differences `from` gives, in its order, with their values. `from` is what follows SELECT's columns. */
export async function readDifferences(
  connection: Connection,
  plan: DiffPlan,
  from: string,
): Promise<Difference[]> {
  const fields: Field[] = [
    fieldOf("kind", "VARCHAR"),
    fieldOf("ln", "BIGINT"),
    fieldOf("rn", "BIGINT"),
    ...plan.compared.map((_, i) => fieldOf(`d${i} > 0`, "BOOLEAN")),
    ...(plan.byPosition ? keyNames(plan).map((name) => fieldOf(`${name}::BIGINT`, "BIGINT")) : []),
  ];
  const found = await readJson(connection, fields, from);
  const left = await rowsOf(
    connection,
    plan.left,
    found.map((row) => row[1]),
  );
  const right = await rowsOf(
    connection,
    plan.right,
    found.map((row) => row[2]),
  );
  return found.map((row) => {
    const [kind, ln, rn] = row;
    const before = left.get(ln) ?? null;
    const after = right.get(rn) ?? null;
    const position = row.slice(3 + plan.compared.length);
    return {
      kind: kind as DiffKind,
      key: plan.byPosition
        ? [position[0], position[1] ?? 0]
        : plan.keys.map((name) => (before ?? after)?.[name]),
      left: before,
      right: after,
      changed: plan.compared.flatMap(({ name }, i) => (row[3 + i] === true ? [name] : [])),
    };
  });
}

/** A side's rows by their numbers. */
async function rowsOf(
  connection: Connection,
  { side }: PlannedSide,
  numbers: unknown[],
): Promise<Map<unknown, Record<string, unknown>>> {
  const wanted = numbers.filter(
    (number) => typeof number === "number" || typeof number === "string",
  );
  if (wanted.length === 0) return new Map();
  const fields = [
    fieldOf("n", "BIGINT"),
    ...side.columns.map(({ type }, i) => fieldOf(`v${i}`, type)),
  ];
  const rows = await readJson(
    connection,
    fields,
    `FROM (${side.valuesSql}) WHERE ${amongSql("n", wanted)}`,
  );
  return new Map(
    rows.map(([n, ...values]) => [
      n,
      Object.fromEntries(side.columns.map(({ name }, i) => [name, values[i]])),
    ]),
  );
}
