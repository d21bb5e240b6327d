import { isDescriptor, isTable, type Table } from "./descriptors.ts";

/** Rows of a kind, at most so many of each. */
export type Limits = { changed?: number; added?: number; removed?: number; ambiguous?: number };

/** What is expected of the difference between a transform and an earlier version of it; without a condition, that there is none. */
export type DiffExpectation = {
  penstock: "diff-expectation";
  table: Table;
  /** An environment, or a revision of Git's. */
  version: string | null;
  columns: readonly string[] | null;
  limits: Readonly<Limits> | null;
  against(version: unknown): DiffExpectation;
  changesOnly(columns: unknown): DiffExpectation;
  atMost(limits: unknown): DiffExpectation;
};

type Said = Pick<DiffExpectation, "table" | "version" | "columns" | "limits">;

/** `expectDiff(delays).against("production").changesOnly(["late"]).atMost({ removed: 0 })`: each word gives a new description. */
export function expectDiff(table: unknown): DiffExpectation {
  if (!isTable(table) || table.source.kind !== "transform") {
    throw new TypeError(
      'expectDiff() takes a transform: expectDiff(delays).against("production").atMost({ removed: 0 }).',
    );
  }
  return expectation({ table, version: null, columns: null, limits: null });
}

function expectation(said: Said): DiffExpectation {
  return Object.freeze({
    penstock: "diff-expectation" as const,
    ...said,
    against(version: unknown) {
      if (typeof version === "string" && version !== "") return expectation({ ...said, version });
      throw new TypeError(
        'against() names an environment or a Git revision: against("production").',
      );
    },
    changesOnly(columns: unknown) {
      const names: unknown[] = Array.isArray(columns) ? columns : [columns];
      if (names.every((name) => typeof name === "string"))
        return expectation({ ...said, columns: Object.freeze(names) });
      throw new TypeError('changesOnly() takes the names of columns: changesOnly(["late"]).');
    },
    atMost: (limits: unknown) => expectation({ ...said, limits: limitsOf(limits) }),
  });
}

const kinds = ["changed", "added", "removed", "ambiguous"];

function limitsOf(limits: unknown): Readonly<Limits> {
  const entries = Object.entries((limits ?? {}) as Record<string, unknown>);
  const isRight = ([kind, most]: [string, unknown]) =>
    kinds.includes(kind) && typeof most === "number" && Number.isSafeInteger(most) && most >= 0;
  if (entries.length > 0 && entries.every(isRight))
    return Object.freeze(Object.fromEntries(entries) as Limits);
  throw new TypeError(
    `atMost() takes numbers of rows for ${kinds.join(", ")}: atMost({ removed: 0 }).`,
  );
}

export function isDiffExpectation(value: unknown): value is DiffExpectation {
  return isDescriptor(value, "diff-expectation") && isTable((value as DiffExpectation).table);
}
