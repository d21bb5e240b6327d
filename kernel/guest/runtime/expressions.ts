import { isTable, type Table } from "./descriptors.ts";

/** How a table comes about, as data: what the host resolves to a table by content. */
export type TableExpression =
  | { kind: "snapshot"; name: string }
  | {
      kind: "sql";
      strings: string[];
      values: (TableExpression | { kind: "literal"; value: string | number | boolean | null })[];
    }
  | { kind: "transform"; name: string }
  | { kind: "split"; input: TableExpression; part: "train" | "test"; how: SplitHow };

/** `share` is the test part's. */
export type SplitHow =
  | { by: "random"; share: number; seed: number }
  | { by: "key"; columns: string[]; share: number; seed: number }
  | { by: "time"; column: string; from: string };

/** Whoever reads an expression walks it level by level; a query that names one table twice holds its expression twice. */
const deepest = 100;
const mostTables = 2_000;

/** `nameOf` finds the name a transform is known by; without one it cannot be told to anybody. */
export function expressionOf(
  table: Table,
  nameOf: (table: Table) => string | undefined,
): TableExpression {
  let tables = 0;
  return of(table, 1);

  function of(one: Table, depth: number): TableExpression {
    const { source } = one;
    tables += 1;
    if (depth > deepest || tables > mostTables) {
      throw new TypeError(
        `This table is made of more than ${depth > deepest ? `${deepest} queries on top of each other` : `${mostTables} tables`}. Write it as fewer queries: WITH names what is used more than once.`,
      );
    }
    if (source.kind === "snapshot") return { kind: "snapshot", name: source.name };
    if (source.kind === "sql") {
      const values = source.values.map((value) =>
        isTable(value)
          ? of(value, depth + 1)
          : { kind: "literal" as const, value: value as string | number | boolean | null },
      );
      return { kind: "sql", strings: [...source.strings], values };
    }
    if (source.kind === "split") {
      const { part, how } = source;
      return { kind: "split", input: of(source.input, depth + 1), part, how: { ...how } };
    }
    const name = nameOf(one);
    if (name !== undefined) return { kind: "transform", name };
    throw new TypeError(
      "A transform must have a name of its own before it is used: export const name = transform(…).",
    );
  }
}
