/**
 * What `snapshot`, `sql` and `transform` return: frozen descriptions of work, that somebody else does. One text serves
 * a bundle and the interactive guest; `hooks` are what differs. It imports nothing but types, so that a bundle stays small.
 */
import type { SplitHow } from "./expressions.ts";

export type TableSource =
  | { kind: "snapshot"; name: string }
  | { kind: "sql"; strings: readonly string[]; values: readonly unknown[] }
  | { kind: "transform"; transform: TransformSpec }
  | { kind: "split"; input: Table; part: "train" | "test"; how: SplitHow };

export type RowFunction = (row: unknown, lookups?: unknown) => unknown;

export type TransformSpec = {
  input: Table;
  lookup: Readonly<Record<string, Lookup>>;
  maxParts: number;
  apply: RowFunction;
};

export type Table = {
  penstock: "table";
  source: TableSource;
  by(...columns: string[]): Lookup;
  rows(options?: { limit?: number; offset?: number }): Promise<unknown[]>;
  [Symbol.asyncIterator](): AsyncIterator<unknown>;
};

export type Lookup = { penstock: "lookup"; table: Table; by: readonly string[] };

export type Hooks = {
  rows(table: Table, options: { limit?: number; offset?: number } | undefined): Promise<unknown[]>;
  iterate(table: Table): AsyncIterator<unknown>;
};

/** The functions of the module "penstock" that describe tables. */
export function createTables(hooks: Hooks) {
  function table(source: TableSource): Table {
    const made: Table = Object.freeze({
      penstock: "table" as const,
      source: Object.freeze(source),
      by(...columns: string[]): Lookup {
        const by = columns.flat().map(String);
        if (by.length === 0) {
          throw new TypeError('A lookup needs the columns it is asked by: table.by("origin").');
        }
        return Object.freeze({ penstock: "lookup" as const, table: made, by: Object.freeze(by) });
      },
      rows: (options?: { limit?: number; offset?: number }) => hooks.rows(made, options),
      [Symbol.asyncIterator]: () => hooks.iterate(made),
    });
    return made;
  }

  function snapshot(name: string): Table {
    if (typeof name !== "string" || name === "") {
      throw new TypeError('snapshot() takes the name of a snapshot: snapshot("flights@2001q1").');
    }
    return table({ kind: "snapshot", name });
  }

  function sql(strings: readonly string[], ...values: unknown[]): Table {
    if (!Array.isArray(strings)) {
      throw new TypeError("sql is a template tag: write sql`select … from ${table}`.");
    }
    for (const value of values) checkSqlValue(value);
    return table({
      kind: "sql",
      strings: Object.freeze([...(strings as string[])]),
      values: Object.freeze(values),
    });
  }

  function transform(input: unknown, ...rest: unknown[]): Table {
    if (!isTable(input)) {
      throw new TypeError(
        "transform() takes a table first: a snapshot, a query or another transform.",
      );
    }
    const apply = rest.at(-1);
    const options = rest.length > 1 ? rest[0] : {};
    if (
      typeof apply !== "function" ||
      rest.length > 2 ||
      options === null ||
      typeof options !== "object"
    ) {
      throw new TypeError(
        "transform() takes a table, options if any, and a function of one record.",
      );
    }
    const { lookup = {}, maxParts = 1 } = options as { lookup?: unknown; maxParts?: unknown };
    if (!Number.isInteger(maxParts) || (maxParts as number) < 1 || (maxParts as number) > 1024) {
      throw new TypeError(
        "maxParts says how many records one record may become: an integer from 1 to 1024.",
      );
    }
    if (lookup === null || typeof lookup !== "object") {
      throw new TypeError(
        'lookup names its tables: { lookup: { typical: typical.by("origin") } }.',
      );
    }
    for (const [name, value] of Object.entries(lookup)) {
      if (!isLookup(value)) {
        throw new TypeError(`The lookup \`${name}\` needs its key: ${name}: ${name}.by("column").`);
      }
    }
    const spec: TransformSpec = {
      input,
      lookup: Object.freeze({ ...(lookup as Record<string, Lookup>) }),
      maxParts: maxParts as number,
      apply: apply as RowFunction,
    };
    return table({ kind: "transform", transform: Object.freeze(spec) });
  }

  return { snapshot, sql, transform, table };
}

export function isTable(value: unknown): value is Table {
  return isDescriptor(value, "table");
}

export function isLookup(value: unknown): value is Lookup {
  return isDescriptor(value, "lookup") && isTable((value as Lookup).table);
}

export function isDescriptor(value: unknown, kind: string): boolean {
  return (
    value !== null &&
    typeof value === "object" &&
    (value as { penstock?: unknown }).penstock === kind
  );
}

function checkSqlValue(value: unknown): void {
  if (isTable(value) || value === null) return;
  if (typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  const what = isLookup(value)
    ? "a lookup"
    : value === undefined
      ? "undefined"
      : `a ${typeof value}`;
  throw new TypeError(
    `sql takes tables, texts, finite numbers, booleans and null in its \${…}, not ${what}. Give a date as text: timestamp \${date.toISOString()}.`,
  );
}
