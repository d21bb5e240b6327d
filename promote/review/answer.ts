import type { DiffKind, DiffRowCounts, ValueFilter } from "#snapshots/diff.ts";
import type { Verdict } from "../outcomes/interval.ts";

/** Somebody has looked at a comparison and was done with it. */
export type Review = { id: number; comparison: string; at: string; by: string; note: string };

/** What a remark is about: one difference, or all that some filters left. For people and for going back to them. */
export type RemarkScope = {
  /** The comparison it was said of. */
  comparison: string;
  review?: ReviewFilter;
  kind?: DiffKind;
  column?: string;
  values?: ValueFilter[];
  cause?: { name: string; text: string };
  /** Of one difference: its key, as its row has it. */
  key?: unknown[];
};

/** A comment on differences, or the word that they are intended. It belongs to each of them as long as that difference is the same. */
export type Remark = {
  id: number;
  at: string;
  by: string;
  text: string;
  isIntended: boolean;
  scope: RemarkScope;
  /** How many differences it was said of. */
  differences: number;
  /** How many of those the comparison it is shown with has, the same value for value. */
  same: number;
  /** Of a remark on one difference: that difference, as `DiffRow.difference` names it. */
  difference?: string;
};

/** What became of the differences of an earlier comparison. `new + otherwise + same` are the later one's differences. */
export type SinceReview = {
  /** The last review of it, where it was reviewed. */
  review?: Review;
  comparison: ComparisonSummary;
  /** Of rows that did not differ then. */
  new: number;
  /** Of rows that differed then, in other values. */
  otherwise: number;
  same: number;
  /** Differences of the earlier comparison, of rows that no longer differ. */
  gone: number;
};

/** How far the review of a comparison has come. */
export type ReviewState = {
  /** Reviews of this comparison, newest first. */
  reviews: Review[];
  differences: number;
  /** How many of them are said to be intended. */
  intended: number;
  /** Newest first; those of other comparisons of this transform too. */
  remarks: Remark[];
  /** Against the comparison asked for, else the last one of this transform that was reviewed; null where there is none. */
  since: SinceReview | null;
};

/** Which differences, by what review says of them. `gone` are rows of the earlier comparison. */
export const reviewFilters = ["new", "otherwise", "same", "gone", "intended", "open"] as const;
export type ReviewFilter = (typeof reviewFilters)[number];

/** A kept comparison as a list shows it. */
export type ComparisonSummary = {
  id: string;
  /** When it was compared. */
  at: string;
  notebook: string;
  transform: string;
  before: string;
  after: string;
  snapshot: string;
  rows: DiffRowCounts;
  outcomes: { name: string; verdict: Verdict | null }[];
  reviews: Review[];
  remarks: number;
};
