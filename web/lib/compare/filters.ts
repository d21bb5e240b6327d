import { diffKinds, type DiffKind, type ValueFilter } from "#snapshots/diff.ts";

/** Which of the differing rows are shown: every condition holds. `cause` is the name the server gave it. */
export type Filters = {
  kind?: DiffKind | undefined;
  column?: string | undefined;
  values: ValueFilter[];
  cause?: string | undefined;
};

export type ValueTest = ValueFilter["test"] | "null";

export const valueTests: { test: ValueTest; word: string; sign: string }[] = [
  { test: "equals", word: "equals", sign: "=" },
  { test: "contains", word: "contains", sign: "contains" },
  { test: "atLeast", word: "is at least", sign: "≥" },
  { test: "atMost", word: "is at most", sign: "≤" },
  { test: "null", word: "is NULL", sign: "is NULL" },
];

const sides = { before: "left", after: "right", either: undefined } as const;
export type FilterSide = keyof typeof sides;

/** What the address says. A condition nobody can read is left out. */
export function filtersOf(address: Pick<URLSearchParams, "get" | "getAll">): Filters {
  const kind = address.get("kind");
  return {
    kind: diffKinds.find((each) => each === kind),
    column: address.get("column") ?? undefined,
    values: address.getAll("where").flatMap((text) => valueOf(text) ?? []),
    cause: address.get("cause") ?? undefined,
  };
}

/** Puts filters in an address, in place of those there. */
export function withFilters(address: URLSearchParams, filters: Filters): URLSearchParams {
  const next = new URLSearchParams(address);
  for (const name of ["kind", "column", "where", "cause", "page"]) next.delete(name);
  if (filters.kind) next.set("kind", filters.kind);
  if (filters.column !== undefined) next.set("column", filters.column);
  for (const value of filters.values) next.append("where", textOf(value));
  if (filters.cause !== undefined) next.set("cause", filters.cause);
  return next;
}

export function isFiltered({ kind, column, values, cause }: Filters): boolean {
  return Boolean(kind) || column !== undefined || values.length > 0 || cause !== undefined;
}

/** A condition as its chip says it: `delay ≥ 15 before`. */
export function valueText(filter: ValueFilter): string {
  const { test, side } = asked(filter);
  const sign = valueTests.find((each) => each.test === test)?.sign ?? test;
  const value = filter.value === "" ? "“”" : filter.value;
  const words = [filter.column, sign, value, side === "either" ? undefined : side];
  return words.filter((word) => word !== undefined && word !== null).join(" ");
}

/** A condition as a form asks for it. */
export function valueFilter(request: {
  column: string;
  test: ValueTest;
  side: FilterSide;
  value: string;
}): ValueFilter {
  const { column, test, value } = request;
  const side = sides[request.side];
  return {
    column,
    ...(side ? { side } : {}),
    test: test === "null" ? "equals" : test,
    value: test === "null" ? null : value,
  };
}

function asked({ test, value, side }: ValueFilter): { test: ValueTest; side: FilterSide } {
  const named = side === undefined ? "either" : side === "left" ? "before" : "after";
  return { test: value === null ? "null" : test, side: named };
}

/** `atLeast:before:delay:15`; the column's own colons are escaped, the value is all that follows. */
function textOf(filter: ValueFilter): string {
  const { test, side } = asked(filter);
  const start = `${test}:${side}:${encodeURIComponent(filter.column)}`;
  return filter.value === null ? start : `${start}:${filter.value}`;
}

function valueOf(text: string): ValueFilter | undefined {
  const found = /^(\w+):(\w+):([^:]*)(?::(.*))?$/s.exec(text);
  const test = valueTests.find((each) => each.test === found?.[1])?.test;
  const side = (Object.keys(sides) as FilterSide[]).find((each) => each === found?.[2]);
  const [column, value] = [decoded(found?.[3]), found?.[4]];
  if (!test || !side || column === undefined) return undefined;
  if (test !== "null" && value === undefined) return undefined;
  return valueFilter({ column, test, side, value: value ?? "" });
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
