import { parseType } from "#snapshots/types.ts";
import { decodeStream } from "./decode.ts";
import { deepFreeze } from "./freeze.ts";
import { rowMaker } from "./row-maker.ts";

export type LookupSpec = { by: string[]; columns: { name: string; type: string }[] };
export type LookupFunction = (...key: unknown[]) => unknown;

/** A frozen reference table as a transform asks it: the row with this key, or undefined. NULL is a key like any other. */
export function buildLookup(name: string, spec: LookupSpec, batches: Uint8Array[]): LookupFunction {
  const { by } = spec;
  const columns = spec.columns.map((column) => {
    const type = parseType(column.type);
    if (!type.ok) throw new TypeError(type.problem.message);
    return { name: column.name, type: type.value };
  });
  const make = rowMaker(columns.map((column) => column.name));
  const root = new Map<unknown, unknown>();
  for (const batch of batches) {
    const decoded = decodeStream(batch, columns);
    for (let i = 0; i < decoded.length; i += 1) {
      const refused = decoded.refusals.get(i);
      if (refused !== undefined) throw new TypeError(`Lookup \`${name}\`: ${refused}`);
      place(name, by, root, deepFreeze(make(decoded.columns, i)));
    }
  }
  const find: LookupFunction =
    by.length === 1 ? (key) => root.get(keyOf(key)) : (...keys) => walk(root, by.length, keys);
  return Object.freeze(find);
}

function place(
  name: string,
  by: string[],
  root: Map<unknown, unknown>,
  row: Record<string, unknown>,
): void {
  let level = root;
  for (const column of by.slice(0, -1)) {
    const key = keyOf(row[column]);
    let next = level.get(key) as Map<unknown, unknown> | undefined;
    if (next === undefined) {
      next = new Map();
      level.set(key, next);
    }
    level = next;
  }
  const last = keyOf(row[by.at(-1) ?? ""]);
  if (level.has(last)) {
    const key = by.map((column) => `${column} = ${String(row[column])}`).join(", ");
    throw new TypeError(
      `Lookup \`${name}\` has more than one row for ${key}. Group or filter its table so that each key is there once.`,
    );
  }
  level.set(last, row);
}

function walk(root: Map<unknown, unknown>, depth: number, keys: unknown[]): unknown {
  let found: unknown = root;
  for (let i = 0; i < depth; i += 1) {
    if (found === undefined) return undefined;
    found = (found as Map<unknown, unknown>).get(keyOf(keys[i]));
  }
  return found;
}

function keyOf(value: unknown): unknown {
  if (value === undefined) return null;
  return value instanceof Date ? value.getTime() : value;
}
