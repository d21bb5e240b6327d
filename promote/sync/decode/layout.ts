import { ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { identityColumns, typedColumns, type TypedColumn } from "../values/identity.ts";

export type Contract = { input: readonly Column[]; key: readonly string[] };

/** The input contract, read: what rows hold and where in them the identity stands. */
export type Layout = {
  input: TypedColumn[];
  key: TypedColumn[];
  /** By key column: its place among `input`. Empty for events. */
  keyAt: number[];
  /** A source without identity columns: each record is identified by its position. */
  isEvent: boolean;
};

/** What identifies an event. */
const POSITION: TypedColumn[] = [
  { name: "partition", type: { kind: "scalar", name: "INTEGER" }, nullable: false },
  { name: "offset", type: { kind: "scalar", name: "BIGINT" }, nullable: false },
];

export function layoutOf(contract: Contract): Result<Layout> {
  const typed = typedColumns(contract.input);
  if (!typed.ok) return typed;
  const identity = identityColumns(typed.value, contract.key);
  if (!identity.ok) return identity;
  const input = typed.value.map((column) =>
    contract.key.includes(column.name) ? { ...column, nullable: false } : column,
  );
  if (identity.value.length === 0) return ok({ input, key: POSITION, keyAt: [], isEvent: true });
  const key = identity.value.map((column) => ({ ...column, nullable: false }));
  const keyAt = key.map((column) => input.findIndex(({ name }) => name === column.name));
  return ok({ input, key, keyAt, isEvent: false });
}
