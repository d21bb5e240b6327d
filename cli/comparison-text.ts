import type { Comparison, MetricPair } from "#promote/compare.ts";
import { outcomeLines, outcomeNotes, outcomeTitles } from "#promote/report/outcomes.ts";
import type { DiffColumn, DiffRow } from "#snapshots/diff.ts";
import { valueText, visible } from "#promote/report/value.ts";
import { columns } from "./columns.ts";
import { count, paint } from "./paint.ts";

/** The verdict, both sums, then what changed in which column and metric, a line each. */
export function comparisonLines(comparison: Comparison): string[] {
  const { transform, before, after, snapshot, summary, metrics, contract } = comparison;
  const { rows } = summary;
  const { ambiguous } = rows;
  const verdict = summary.identical ? "the same output" : "the outputs differ";
  const counts: [string, number, string][] = [
    ["=", rows.equal, "equal"],
    ["~", rows.changed, "changed"],
    ["+", rows.added, "added"],
    ["−", rows.removed, "removed"],
    ["?", ambiguous.left + ambiguous.right, "ambiguous (both sides)"],
  ];
  return [
    `${paint("bold", transform)}: ${before.label} → ${after.label} on ${snapshot.name}: ${paint("bold", verdict)}.`,
    ...columns(
      ["", ">", ""],
      counts.map(([glyph, n, word]) => [glyph, count(n), word]),
      "  ",
    ),
    `  before ${sum(rows.left, [rows.equal, rows.changed, rows.removed, ambiguous.left])}`,
    `  after  ${sum(rows.right, [rows.equal, rows.changed, rows.added, ambiguous.right])}`,
    ...columnLines(summary.columns, rows.left),
    ...metricLines(metrics),
    ...contract.map(
      ({ breaks, message }) =>
        `  ${breaks ? paint("red", "contract breaks:") : "contract:"} ${message}`,
    ),
  ];
}

function columnLines(all: DiffColumn[], rows: number): string[] {
  const changed = all.filter(
    ({ status, changed }) => changed > 0 || (status !== "key" && status !== "compared"),
  );
  if (changed.length === 0) return [];
  const body = changed.map(({ name, status, leftType, rightType, changed }) => [
    visible(name),
    status === "typeChanged" ? `${leftType} → ${rightType}` : (rightType ?? leftType ?? ""),
    status === "added" || status === "removed" ? status : count(changed),
    rows > 0 ? `${((100 * changed) / rows).toFixed(2)} %` : "",
  ]);
  return ["", ...columns(["column", "type", ">changed", ">of rows"], body, "  ")];
}

function metricLines(metrics: MetricPair[]): string[] {
  if (metrics.length === 0) return [];
  const body = outcomeLines(metrics).map(({ name, isSegment, figures, verdict }) => [
    `${isSegment ? "  " : ""}${visible(name)}`,
    ...figures,
    verdict === "worse" ? paint("red", verdict) : verdict,
  ]);
  const notes = outcomeNotes(metrics).map((note) => `  ${visible(note)}`);
  return ["", ...columns(outcomeTitles, body, "  "), ...notes];
}

const glyphs = { changed: "~", added: "+", removed: "−", ambiguous: "?" };

const longestValue = 200;

/** A row that differs: its key, and what changed in it or all of it. */
export function rowLine({ kind, key, before, after, changed }: DiffRow): string {
  const cells =
    kind === "changed"
      ? changed.map(
          (name) => `${visible(name)}: ${value(before?.[name])} → ${value(after?.[name])}`,
        )
      : Object.entries(after ?? before ?? {}).map(
          ([name, cell]) => `${visible(name)}: ${value(cell)}`,
        );
  return `${glyphs[kind]} [${key.map(value).join(", ")}]  ${cells.join("  ")}`;
}

function value(cell: unknown): string {
  return valueText(cell, longestValue);
}

function sum(total: number, parts: number[]): string {
  return `${count(total)} = ${parts.map(count).join(" + ")}`;
}
