import type { DiffSummary } from "#snapshots/diff.ts";
import {
  answerOf,
  columnsOf,
  countsOf,
  coverOf,
  group,
  keyOf,
  pairingOf,
  remarksOf,
  renamesOf,
  sampleCells,
  sampleGroups,
  shareOf,
  signs,
  sumsOf,
  titleOf,
  typeOf,
  type DiffReport,
  type SampleGroup,
} from "./report.ts";
import { outcomeLines, outcomeNotes, outcomeTitles } from "./outcomes.ts";
import { valuePair, valueText, visible } from "./value.ts";

const longestValue = 120;

/** A diff for a pull request: tables, samples folded. Nothing in a name or value can end a cell, format text, mention anybody or be HTML. */
export function markdownReport(report: DiffReport): string {
  const { left, right, summary, where } = report;
  const blocks = [
    `### ${plain(left.label)} → ${plain(right.label)}: ${answerOf(summary)}`,
    plain(`${pairingOf(summary)}${where === undefined ? "" : ` Only rows where ${where}.`}`),
    ...(report.facts ?? []).map(plain),
    ...remarksOf(report).map((remark) => `> **Note:** ${plain(remark)}`),
    table(
      ["", ">rows", ""],
      countsOf(summary).map(({ kind, rows, text }) => [signs[kind], group(rows), text]),
    ),
    sumsOf(summary)
      .map(
        ({ side, total, parts, words }) =>
          `${side}: ${group(total)} = ${parts.map(group).join(" + ")} (${words})`,
      )
      .join("<br>\n"),
    ...outcomeBlocks(report),
    ...columnBlocks(report),
    ...causeBlocks(report),
    ...sampleGroups(summary).map((one) => sampleBlock(one, summary)),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function outcomeBlocks({ metrics = [] }: DiffReport): string[] {
  if (metrics.length === 0) return [];
  const rows = outcomeLines(metrics).map(({ name, isSegment, figures, verdict }) => [
    `${isSegment ? "↳ " : ""}${plain(name)}`,
    ...figures.map(plain),
    verdict,
  ]);
  const notes = outcomeNotes(metrics).map((note) => `> **Note:** ${plain(note)}`);
  return [table(outcomeTitles, rows), ...notes];
}

function columnBlocks({ summary }: DiffReport): string[] {
  const { telling, silent, ignored } = columnsOf(summary);
  const rows = telling.map((column) => {
    const isOneSided = column.status === "added" || column.status === "removed";
    return [
      plain(column.name),
      plain(typeOf(column)),
      isOneSided ? column.status : group(column.changed),
      isOneSided ? "" : shareOf(column.changed, summary),
      isOneSided ? "" : group(column.nullToValue),
      isOneSided ? "" : group(column.valueToNull),
      plain(String(column.largestDifference ?? "")),
      plain(column.rule ?? ""),
    ];
  });
  const head = [
    "column",
    "type",
    ">changed",
    ">of paired",
    ">NULL → value",
    ">value → NULL",
    ">largest",
    "rule",
  ];
  const quiet = [
    ...(silent === 0
      ? []
      : [`${group(silent)} ${silent === 1 ? "column is" : "columns are"} the same.`]),
    ...(ignored.length === 0
      ? []
      : [`Ignored: ${ignored.map(({ name }) => plain(name)).join(", ")}.`]),
    ...renamesOf(summary).map(plain),
  ].join(" ");
  return [...(rows.length === 0 ? [] : [table(head, rows)]), ...(quiet === "" ? [] : [quiet])];
}

function causeBlocks({ summary }: DiffReport): string[] {
  if (summary.causes.length === 0) return [];
  const lines = summary.causes.map((cause) => `1. ${plain(cause.text)} — ${plain(coverOf(cause))}`);
  return [`**What explains it**\n\n${lines.join("\n")}`];
}

function sampleBlock(one: SampleGroup, summary: DiffSummary): string {
  const rows = one.samples.flatMap((sample) => {
    const key = keyOf(sample, summary)
      .map((value) => shown(value))
      .join(", ");
    const cells = sampleCells(sample, summary.keys);
    if (sample.left && sample.right) {
      return cells.map(({ column, before, after }, i) => [
        i === 0 ? key : "",
        plain(column),
        ...valuePair(before, after, longestValue).map(plain),
      ]);
    }
    const values = cells.map(
      ({ column, before, after }) => `${plain(column)}: ${shown(before ?? after)}`,
    );
    return [[key, values.join("; ")]];
  });
  const isPaired = one.samples.every(({ left, right }) => left && right);
  const head = isPaired ? ["key", "column", "before", "after"] : ["key", "row"];
  return `<details><summary>${titleOf(one)}</summary>\n\n${table(head, rows)}\n\n</details>`;
}

function shown(value: unknown): string {
  return plain(valueText(value, longestValue));
}

/** A title that begins with `>` puts its column to the right. */
function table(titles: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(titles.map((title) => title.replace(/^>/, ""))),
    line(titles.map((title) => (title.startsWith(">") ? "--:" : "---"))),
    ...rows.map(line),
  ].join("\n");
}

/** Text that means nothing to Markdown or HTML: what could is written as a character reference, which is read after both have looked. */
function plain(text: string): string {
  return visible(text)
    .replace(/[^\p{L}\p{N}\p{M}\s.,;%+/()='"→←−–—…·?-]/gu, (found) => `&#${found.codePointAt(0)};`)
    .replace(/\bwww\./gi, (found) => `${found.slice(0, 3)}&#46;`)
    .replace(/^([-+]|\d+[.)])(?=\s|$)/, (found) => `&#${found.codePointAt(0)};${found.slice(1)}`);
}
