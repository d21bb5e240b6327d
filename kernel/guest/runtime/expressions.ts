import { isTable, type Table } from "./descriptors.ts";

/** How a table comes about, as data: what the host resolves to a table by content. */
export type TableExpression =
  | { kind: "snapshot"; name: string }
  | {
      kind: "sql";
      strings: string[];
      values: (TableExpression | { kind: "literal"; value: string | number | boolean | null })[];
    }
  | { kind: "transform"; name: string };

/** `nameOf` finds the name a transform is known by; without one it cannot be told to anybody. */
export function expressionOf(
  table: Table,
  nameOf: (table: Table) => string | undefined,
): TableExpression {
  const { source } = table;
  if (source.kind === "snapshot") return { kind: "snapshot", name: source.name };
  if (source.kind === "sql") {
    const values = source.values.map((value) =>
      isTable(value)
        ? expressionOf(value, nameOf)
        : { kind: "literal" as const, value: value as string | number | boolean | null },
    );
    return { kind: "sql", strings: [...source.strings], values };
  }
  const name = nameOf(table);
  if (name !== undefined) return { kind: "transform", name };
  throw new TypeError(
    "A transform must have a name of its own before it is used: export const name = transform(…).",
  );
}
