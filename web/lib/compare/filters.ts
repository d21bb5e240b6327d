import { reviewFilters, type ReviewFilter } from "#promote/review/answer.ts";
import { diffKinds, type DiffKind, type ValueFilter } from "#snapshots/diff.ts";

/** Which of the differing rows are shown: every condition holds. `cause` is the name the server gave it, `remark` a remark's id. */
export type Filters = {
  kind?: DiffKind | undefined;
  column?: string | undefined;
  values: ValueFilter[];
  cause?: string | undefined;
  review?: ReviewFilter | undefined;
  remark?: number | undefined;
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
  const [kind, review, remark] = ["kind", "review", "remark"].map((name) => address.get(name));
  return {
    kind: diffKinds.find((each) => each === kind),
    column: address.get("column") ?? undefined,
    values: address.getAll("where").flatMap((text) => valueOf(text) ?? []),
    cause: address.get("cause") ?? undefined,
    review: reviewFilters.find((each) => each === review),
    remark: remark && /^\d{1,15}$/.test(remark) ? Number(remark) : undefined,
  };
}

/** Puts filters in an address, in place of those there. */
export function withFilters(address: URLSearchParams, filters: Filters): URLSearchParams {
  const next = new URLSearchParams(address);
  for (const name of ["kind", "column", "where", "cause", "review", "remark", "page"])
    next.delete(name);
  if (filters.kind) next.set("kind", filters.kind);
  if (filters.column !== undefined) next.set("column", filters.column);
  for (const value of filters.values) next.append("where", textOf(value));
  if (filters.cause !== undefined) next.set("cause", filters.cause);
  if (filters.review) next.set("review", filters.review);
  if (filters.remark !== undefined) next.set("remark", String(filters.remark));
  return next;
}

export function isFiltered(filters: Filters): boolean {
  return Boolean(filters.kind) || isNarrowed(filters);
}

/** By more than a kind: there is a chip for it. */
export function isNarrowed({ column, values, cause, review, remark }: Filters): boolean {
  return (
    column !== undefined ||
    values.length > 0 ||
    cause !== undefined ||
    review !== undefined ||
    remark !== undefined
  );
}

/** Filters as the API is asked for rows. `since`: the comparison a review is measured against, where it is not the last one reviewed. */
export function rowsQuery(filters: Filters, since: string | undefined) {
  const { kind, column, values, cause, review, remark } = filters;
  return {
    ...(kind ? { kind } : {}),
    ...(column === undefined ? {} : { column }),
    ...(values.length > 0 ? { values: JSON.stringify(values) } : {}),
    ...(cause === undefined ? {} : { cause }),
    ...(review ? { review } : {}),
    ...(review && since !== undefined && !isOfRemarks(review) ? { since } : {}),
    ...(remark === undefined ? {} : { remark: String(remark) }),
  };
}

/** Whether which rows a filter leaves changes with what is said of them. */
export function isOfRemarks(review: ReviewFilter | undefined): boolean {
  return review === "intended" || review === "open";
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
