import { visible } from "#promote/report/value.ts";
import type { ComparisonSummary, Remark, Review, ReviewState } from "#promote/review/answer.ts";
import { intendedCounts, sameText, sinceCounts } from "#web/lib/compare/review-text.ts";
import { columns } from "./columns.ts";
import { count, paint } from "./paint.ts";

/** What is new since the last review, and what people said of the differences; nothing where nobody said anything. */
export function reviewLines(state: ReviewState): string[] {
  const { since, remarks, reviews } = state;
  const lines: string[] = [];
  for (const review of reviews) lines.push(`  reviewed ${byAndWhen(review)}${noteOf(review)}`);
  if (since) {
    const { review, comparison } = since;
    const which = review ? `the review ${byAndWhen(review)}` : comparison.id;
    lines.push(
      `  since ${which} (${comparison.before} → ${comparison.after}):`,
      ...sinceCounts(since).map(({ text, meaning }) => `    ${text}: ${meaning.toLowerCase()}`),
    );
  }
  if (remarks.some(({ isIntended }) => isIntended))
    lines.push(
      `  ${intendedCounts(state)
        .map(({ text }) => text)
        .join(", ")}`,
    );
  lines.push(...remarks.map(remarkLine));
  return lines.length > 0 ? ["", ...lines] : [];
}

/** A transform's comparisons, a line each, newest first. */
export function historyLines(comparisons: ComparisonSummary[]): string[] {
  const body = comparisons.map(
    ({ id, at, before, after, snapshot, rows, outcomes, reviews, remarks }) => [
      id.slice(0, 8),
      at.slice(0, 16).replace("T", " "),
      visible(before),
      visible(after),
      visible(snapshot),
      count(rows.changed),
      count(rows.added),
      count(rows.removed),
      count(rows.ambiguous.left + rows.ambiguous.right),
      outcomes.map(({ name, verdict }) => `${visible(name)}: ${verdict ?? "—"}`).join(", "),
      reviews[0] ? `by ${visible(reviews[0].by)}` : "",
      remarks > 0 ? count(remarks) : "",
    ],
  );
  const heads = [
    "id",
    "when (UTC)",
    "before",
    "after",
    "snapshot",
    ">changed",
    ">added",
    ">removed",
    ">ambiguous",
    "outcomes",
    "reviewed",
    ">remarks",
  ];
  return columns(heads, body, "");
}

function remarkLine(remark: Remark): string {
  const { text, by, isIntended } = remark;
  const words = [
    ...(isIntended ? [paint("green", "intended")] : []),
    ...(text ? [visible(text)] : []),
  ];
  return `  ${words.join(" ")} (${visible(by)}; ${sameText(remark)})`;
}

function byAndWhen({ by, at }: Review): string {
  return `by ${visible(by)} of ${at.slice(0, 10)}`;
}

function noteOf({ note }: Review): string {
  return note === "" ? "" : `: ${visible(note)}`;
}
