import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { DiffReport } from "#promote/report/report.ts";
import { answerOf } from "#promote/report/report.ts";
import { htmlReport } from "#promote/report/html.ts";
import { markdownReport } from "#promote/report/markdown.ts";
import { writeWhole } from "#snapshots/output-file.ts";
import { ProblemError } from "#snapshots/problem.ts";
import { diffLines } from "./diff-text.ts";
import { paint } from "./paint.ts";

export const formats = ["text", "json", "html", "markdown"] as const;
export type Format = (typeof formats)[number];

const tokensFile = new URL("../web/lib/tokens.css", import.meta.url);

/** In a pipe and in a file there is no terminal whose width lines should keep to. */
const widthElsewhere = 120;

/** Prints a report, or writes it to a file and says so on stderr: stdout holds nothing but the report. */
export function writeReport(report: DiffReport, format: Format, out: string | undefined): void {
  const look =
    out === undefined
      ? { width: process.stdout.columns || widthElsewhere, paint }
      : { width: widthElsewhere, paint: (_: unknown, text: string) => text };
  writeText(reportText(report, format, look), answerOf(report.summary), out);
}

export function writeText(text: string, answer: string, out: string | undefined): void {
  if (out === undefined) {
    process.stdout.write(text);
    return;
  }
  const file = resolve(out);
  const problem = writeWhole(file, text);
  if (problem) throw new ProblemError(problem);
  process.stderr.write(`${answer}; the report is in ${file}\n`);
}

function reportText(
  report: DiffReport,
  format: Format,
  look: Parameters<typeof diffLines>[1],
): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(report.summary, null, 2)}\n`;
    case "html":
      return htmlReport(report, readFileSync(tokensFile, "utf8"));
    case "markdown":
      return markdownReport(report);
    case "text":
      return `${diffLines(report, look).join("\n")}\n`;
  }
}
