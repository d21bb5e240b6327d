import { visible } from "#promote/report/value.ts";
import type { ComparisonSummary, Remark, Review, ReviewState } from "#promote/review/answer.ts";
import { columns } from "./columns.ts";
import { count, paint } from "./paint.ts";

/** What is new since the last review, and what people said of the differences; nothing where nobody said anything. */
export function reviewLines({
  since,
  remarks,
  intended,
  differences,
  reviews,
}: ReviewState): string[] {
  const lines: string[] = [];
  for (const review of reviews) lines.push(`  reviewed ${byAndWhen(review)}${noteOf(review)}`);
  if (since) {
    const { review, comparison } = since;
    const which = review ? `the review ${byAndWhen(review)}` : comparison.id;
    lines.push(
      `  since ${which} (${comparison.before} → ${comparison.after}):`,
      ...columns(
        [">", ""],
        [
          [count(since.new), "new"],
          [count(since.otherwise), "otherwise: differed then, in other values"],
          [count(since.same), "the same"],
          [count(since.gone), "gone"],
        ],
        "    ",
      ),
    );
  }
  if (remarks.some(({ isIntended }) => isIntended))
    lines.push(
      `  ${count(intended)} of ${count(differences)} intended, ${count(differences - intended)} open`,
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

function remarkLine({ text, by, isIntended, differences, same }: Remark): string {
  const holds =
    same === differences
      ? `all ${count(differences)}`
      : same === 0
        ? "none any more"
        : `${count(same)} of ${count(differences)}`;
  const word = isIntended ? `${paint("green", "intended")} ` : "";
  return `  ${word}${text === "" ? "" : visible(text)} (${visible(by)}; ${holds})`;
}

function byAndWhen({ by, at }: Review): string {
  return `by ${visible(by)} of ${at.slice(0, 10)}`;
}

function noteOf({ note }: Review): string {
  return note === "" ? "" : `: ${visible(note)}`;
}
