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
} from "#promote/report/report.ts";
import { nameText, valuePair, valueText, visible } from "#promote/report/value.ts";
import type { DiffSample, DiffSummary } from "#snapshots/diff.ts";
import { columns } from "./columns.ts";

type Colour = "red" | "green" | "yellow" | "cyan" | "bold" | "dim";
/** How wide a line may be, and whether it has colours. */
export type Look = { width: number; paint: (colour: Colour, text: string) => string };

const colours = {
  equal: "dim",
  changed: "yellow",
  added: "cyan",
  removed: "red",
  ambiguous: "bold",
} as const satisfies Record<string, Colour>;

/** A diff for people at a terminal: the answer, counts that add up, columns by how much they changed, causes, samples. */
export function diffLines(report: DiffReport, look: Look): string[] {
  const { left, right, summary, where } = report;
  const { paint } = look;
  const asked = `${pairingOf(summary)}${where === undefined ? "" : ` Only rows where ${where}.`}`;
  return [
    `${paint("bold", visible(left.label))} → ${paint("bold", visible(right.label))}: ${paint("bold", answerOf(summary))}`,
    ...wrapped(visible(asked).split(" "), look.width, "  ").map((line) => paint("dim", line)),
    ...remarksOf(report).flatMap((remark) =>
      wrapped(visible(`! ${remark}`).split(" "), look.width, "  ").map((line) =>
        paint("yellow", line),
      ),
    ),
    "",
    ...countLines(report, look),
    ...columnLines(report, look),
    ...renamesOf(summary).map((line) => `  ${visible(line)}`),
    ...causeLines(report, look),
    ...sampleGroups(summary).flatMap((group) => groupLines(group, summary, look)),
  ];
}

function countLines({ summary }: DiffReport, { paint }: Look): string[] {
  const lines = columns(
    ["", ">", ""],
    countsOf(summary).map(({ kind, rows, text }) => [signs[kind], group(rows), text]),
    "  ",
  );
  return [
    ...countsOf(summary).map(({ kind, rows }, i) =>
      rows === 0 ? paint("dim", lines[i] ?? "") : paint(colours[kind], lines[i] ?? ""),
    ),
    ...sumsOf(summary).map(
      ({ side, total, parts, words }) =>
        `  ${side.padEnd(5)} ${group(total)} = ${parts.map(group).join(" + ")}  ${paint("dim", `(${words})`)}`,
    ),
  ];
}

function columnLines({ summary }: DiffReport, look: Look): string[] {
  const { telling, silent, ignored } = columnsOf(summary);
  const isWide = look.width >= 110;
  const nameWidth = Math.max(12, Math.floor(look.width * 0.3));
  const body = telling.map((column) => [
    nameText(column.name, nameWidth),
    valueText(typeOf(column), isWide ? 40 : 22),
    column.status === "added" || column.status === "removed"
      ? column.status
      : group(column.changed),
    column.status === "added" || column.status === "removed"
      ? ""
      : shareOf(column.changed, summary),
    ...(isWide ? [some(column.nullToValue), some(column.valueToNull)] : []),
    column.largestDifference === undefined ? "" : valueText(column.largestDifference, 22),
    valueText(column.rule ?? "", isWide ? 40 : 16).replace(/^""$/, ""),
  ]);
  const head = [
    "column",
    "type",
    ">changed",
    ">of paired",
    ...(isWide ? [">NULL →", ">→ NULL"] : []),
    ">largest",
    "rule",
  ];
  const unused = head.map((_, i) => i).filter((i) => i > 3 && body.every((row) => !row[i]));
  const used = (row: string[]) => row.filter((_, i) => !unused.includes(i));
  const quiet = [
    ...(silent === 0
      ? []
      : [`${group(silent)} ${silent === 1 ? "column is" : "columns are"} the same.`]),
    ...(ignored.length === 0
      ? []
      : [`Ignored: ${ignored.map(({ name }) => visible(name)).join(", ")}.`]),
    ...summary.columns
      .filter(({ rule, changed }) => rule !== null && changed === 0)
      .map(({ name, rule }) => `${visible(name)} is compared by ${rule}.`),
  ];
  return [
    ...(body.length === 0 ? [] : ["", ...columns(used(head), body.map(used), "  ")]),
    ...(quiet.length === 0
      ? []
      : [
          "",
          ...wrapped(quiet.join(" ").split(" "), look.width, "  ").map((line) =>
            look.paint("dim", line),
          ),
        ]),
  ];
}

function some(rows: number): string {
  return rows === 0 ? "" : group(rows);
}

function causeLines({ summary, search }: DiffReport, look: Look): string[] {
  if (search === undefined) return [];
  const { causes } = summary;
  if (causes.length === 0) {
    return search.complete
      ? ["", look.paint("dim", "  No one cause explains the differences.")]
      : [];
  }
  return [
    "",
    look.paint("bold", "What explains it"),
    ...causes.flatMap((cause) => {
      const text = visible(cause.text);
      const cover = coverOf(cause);
      const oneLine = `  ${text}  ${look.paint("dim", cover)}`;
      if (text.length + cover.length + 4 <= look.width) return [oneLine];
      return [...wrapped(text.split(" "), look.width, "  "), `    ${look.paint("dim", cover)}`];
    }),
  ];
}

function groupLines(group: SampleGroup, summary: DiffSummary, look: Look): string[] {
  return [
    "",
    look.paint(colours[group.kind], titleOf(group)),
    ...group.samples.flatMap((sample) => sampleLines(sample, signs[group.kind], summary, look)),
  ];
}

/** One line where it fits; else the values under their key, as many a line as fit. */
function sampleLines(sample: DiffSample, sign: string, summary: DiffSummary, look: Look): string[] {
  const keyWidth = Math.max(16, Math.floor(look.width / 2) - 12);
  const key = keyOf(sample, summary)
    .map((value) => valueText(value, keyWidth))
    .join(", ");
  const cells = sampleCells(sample, summary.keys).map((cell) => {
    const name = nameText(cell.column, Math.floor(look.width / 2) - 6);
    const room = look.width - name.length - "      : ".length;
    if (!("before" in cell && "after" in cell))
      return `${name}: ${valueText(cell.before ?? cell.after, Math.min(room, 80))}`;
    const most = Math.max(12, Math.min(80, Math.floor((room - " → ".length) / 2)));
    return `${name}: ${valuePair(cell.before, cell.after, most).join(" → ")}`;
  });
  const first = key === "" ? `  ${sign}` : `  ${sign} ${key}`;
  const line = `${first}  ${cells.join("  ")}`.trimEnd();
  if (line.length <= look.width) return [line];
  const parts = cells.map((cell) => `${cell} `);
  return key === ""
    ? wrapped(parts, look.width, `  ${sign} `, "    ")
    : [first, ...wrapped(parts, look.width, "      ")];
}

/** Words on lines no wider than asked, as far as no single one is. */
function wrapped(words: string[], width: number, indent: string, later = indent): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    const start = lines.length === 0 ? indent : later;
    if (line !== "" && start.length + line.length + 1 + word.trimEnd().length > width) {
      lines.push(`${start}${line.trimEnd()}`);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(`${lines.length === 0 ? indent : later}${line.trimEnd()}`);
  return lines;
}
