import type { Comparison, MetricPair } from "#promote/compare.ts";
import type { Outcome } from "#promote/outcomes/answer.ts";
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
  const body = metrics.flatMap((metric) => [
    [metric.name, ...outcomeCells(metric)],
    ...(metric.segments?.list ?? []).map((segment) => [
      `  ${metric.segments?.by} = ${segment.value ?? "NULL"}`,
      ...outcomeCells(segment),
    ]),
  ]);
  const header = ["metric", ">before", ">after", ">difference", "95 % interval", "verdict"];
  const notes = metrics.flatMap(({ name, noInterval, segments, warnings, resampled }) =>
    [
      ...(noInterval === null ? [] : [`no interval: ${noInterval}`]),
      ...(resampled?.budgetMs === undefined
        ? []
        : [`${resampled.resamples} resamples in ${resampled.budgetMs / 1000} s`]),
      ...(segments ? [segments.warning] : []),
      ...warnings,
    ].map((note) => `  ${name}: ${note}`),
  );
  return ["", ...columns(header, body, "  "), ...notes];
}

function outcomeCells({ before, after, difference, interval, verdict }: Outcome): string[] {
  return [
    number(before),
    number(after),
    signed(difference),
    interval ? `${signed(interval.low)} … ${signed(interval.high)}` : "–",
    verdict === "worse" ? paint("red", verdict) : (verdict ?? ""),
  ];
}

function signed(value: number | null): string {
  return value !== null && value > 0 ? `+${number(value)}` : number(value).replace("-", "−");
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

function number(value: number | null): string {
  return value === null ? "–" : String(Number(value.toPrecision(6)));
}
