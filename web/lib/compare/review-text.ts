import { ago, count, moment } from "../format.ts";
import type {
  ComparisonSummary,
  Remark,
  RemarkScope,
  ReviewFilter,
  ReviewState,
  SinceReview,
} from "#promote/review/answer.ts";
import { valueText } from "./filters.ts";

/** One number of a review: which rows it counts, in words, and what that means. */
export type ReviewCount = {
  filter: ReviewFilter;
  many: number;
  text: string;
  meaning: string;
};

/** What became of an earlier comparison's differences: "54 new", "14,280 the same", "3 gone". */
export function sinceCounts(since: SinceReview): ReviewCount[] {
  return [
    {
      filter: "new",
      many: since.new,
      text: `${count(since.new)} new`,
      meaning: "Of rows that did not differ then",
    },
    {
      filter: "otherwise",
      many: since.otherwise,
      text: `${count(since.otherwise)} otherwise`,
      meaning: "Of rows that differed then too, in other values",
    },
    {
      filter: "same",
      many: since.same,
      text: `${count(since.same)} the same`,
      meaning: "Of rows that differed then in the same values",
    },
    {
      filter: "gone",
      many: since.gone,
      text: `${count(since.gone)} gone`,
      meaning: "Differences of then, of rows that no longer differ",
    },
  ];
}

/** "14,280 of 14,346 intended", "66 open". */
export function intendedCounts({
  differences,
  intended,
}: Pick<ReviewState, "differences" | "intended">): ReviewCount[] {
  const open = differences - intended;
  return [
    {
      filter: "intended",
      many: intended,
      text: `${count(intended)} of ${count(differences)} intended`,
      meaning: "Somebody said of them that they are meant to be so",
    },
    {
      filter: "open",
      many: open,
      text: `${count(open)} open`,
      meaning: "Nobody said of them that they are meant to be so",
    },
  ];
}

/** How many rows a filter leaves, as far as the review has counted them. */
export function reviewTotal(
  review: ReviewFilter | undefined,
  state: ReviewState | undefined,
): number | undefined {
  if (!review || !state) return undefined;
  const counts = [...intendedCounts(state), ...(state.since ? sinceCounts(state.since) : [])];
  return counts.find(({ filter }) => filter === review)?.many;
}

const chips: Record<ReviewFilter, string> = {
  new: "new since then",
  otherwise: "differs otherwise than then",
  same: "the same as then",
  gone: "no longer differs",
  intended: "intended",
  open: "open",
};

export function reviewChip(review: ReviewFilter): string {
  return chips[review];
}

/** What a remark is about, a chip a filter. `keys`: the key columns' names; by position there are none. */
export function scopeChips(scope: RemarkScope, keys: string[]): string[] {
  if (scope.key) return [keyText(scope.key, keys)];
  const found = [
    scope.review && reviewChip(scope.review),
    scope.kind && `${scope.kind} rows`,
    scope.column !== undefined && `${scope.column} changed`,
    ...(scope.values ?? []).map((value) => valueText(value)),
    scope.cause?.text,
  ].filter((text): text is string => Boolean(text));
  return found.length > 0 ? found : ["all differences"];
}

/** A row's key: "record 12", "origin = DEN, day = 3". */
function keyText(key: unknown[], keys: string[]): string {
  if (keys.length > 0)
    return keys.map((name, index) => `${name} = ${plain(key[index])}`).join(", ");
  const [position, part] = key;
  if (typeof position !== "number") return "one row";
  const record = `record ${count(position + 1)}`;
  return typeof part === "number" && part > 0 ? `${record}, its row ${count(part + 1)}` : record;
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** How many of its differences are here, value for value. */
export function sameText({ same, differences }: Pick<Remark, "same" | "differences">): string {
  if (same === 0) return "none any more";
  if (same < differences) return `${count(same)} of ${count(differences)}`;
  return same === 1 ? "still the same" : `all ${count(same)}`;
}

/** What a comparison is called among others of its transform: by its last review, else by when it was made. */
export function comparisonName(
  { reviews: [last], before, after, at }: ComparisonSummary,
  now?: number,
): string {
  const what = last
    ? `the review by ${last.by}, ${ago(last.at, now)}`
    : `the comparison of ${moment(at)}`;
  return `${what}: ${before} → ${after}`;
}

/** How often the metrics said what, the worst first. */
export function outcomeCounts(
  outcomes: ComparisonSummary["outcomes"],
): { word: string; many: number }[] {
  const words = outcomes.map(({ verdict }) => verdict ?? "no verdict");
  return ["worse", "improved", "unchanged", "cannot tell", "no verdict"]
    .map((word) => ({ word, many: words.filter((each) => each === word).length }))
    .filter(({ many }) => many > 0);
}

/** Where a kept comparison is opened as it was, its rows as `more` says. */
export function keptHref(id: string, more: Record<string, string> = {}): string {
  return `/compare?${new URLSearchParams({ comparison: id, ...more })}`;
}

/** Two chosen of a list that has the newest first; undefined until there are two. */
export function pairOf(
  comparisons: ComparisonSummary[],
  chosen: string[],
): { later: ComparisonSummary; earlier: ComparisonSummary } | undefined {
  const [later, earlier] = comparisons.filter(({ id }) => chosen.includes(id));
  return later && earlier ? { later, earlier } : undefined;
}
