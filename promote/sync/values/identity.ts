import { parseType, type SqlType } from "#snapshots/types.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import type { Kept } from "./json-values.ts";

/** A column whose type has been read. */
export type TypedColumn = { name: string; type: SqlType; nullable: boolean };

export function typedColumns(columns: readonly Column[]): Result<TypedColumn[]> {
  const typed: TypedColumn[] = [];
  for (const { name, type, nullable } of columns) {
    const parsed = parseType(type);
    if (!parsed.ok)
      return fail({ ...parsed.problem, message: `Column \`${name}\`: ${parsed.problem.message}` });
    typed.push({ name, type: parsed.value, nullable });
  }
  return ok(typed);
}

/** The identity columns of a contract, in the identity's order. */
export function identityColumns(
  columns: readonly TypedColumn[],
  key: readonly string[],
): Result<TypedColumn[]> {
  const found: TypedColumn[] = [];
  for (const name of key) {
    const column = columns.find((candidate) => candidate.name === name);
    if (column === undefined) {
      return fail({
        code: "identity-missing",
        message: `The identity column \`${name}\` is not in the input contract.`,
        hint: "Declare an identity of columns the source has, freeze it again and build a new release.",
      });
    }
    found.push(column);
  }
  return ok(found);
}

/** One text or number per identity, equal exactly when the kept values are, also once kept as JSON: finds versions of one thing. */
export function identityToken(values: readonly Kept[]): string | number {
  const [only] = values;
  const isPlain = typeof only === "string" || (typeof only === "number" && Number.isFinite(only));
  if (values.length === 1 && isPlain) return only;
  return JSON.stringify(values, (_name, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });
}

/** The position of the first pair whose key is that of one before; −1 where each is there once. */
export function repeatedKey(pairs: readonly Kept[]): number {
  const known = new Set<string | number>();
  return pairs.findIndex((pair) => {
    const { size } = known;
    return known.add(identityToken([Array.isArray(pair) ? (pair[0] ?? null) : null])).size === size;
  });
}
