import type { Command } from "commander";
import type { CellState, NotebookDocument, Output } from "#kernel/document.ts";
import { withConnection } from "./connect.ts";
import { problemText } from "./explain.ts";
import { cancelled, follow } from "./follow.ts";
import { count, counted, duration, paint } from "./paint.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

/** `penstock run NOTEBOOK` */
export function runVerb(program: Command): void {
  verb(
    program,
    "run <notebook>",
    "Run a notebook from top to bottom and print what its cells show.",
    ["run delays", "run notebooks/delays.ts --json"],
  ).action(async (notebook: string, options: Common) => {
    const progress = openProgress({ isSilent: options.json ?? false });
    const name = notebookName(notebook);
    const document = await withConnection(workspaceOf(options), ({ api }) =>
      follow<NotebookDocument>(
        api.notebooks[":name"].run.$post(
          { param: { name }, json: {} },
          { init: { signal: cancelled() } },
        ),
        ({ event }) => {
          if (event?.type === "cell" && event.cell.status === "running") {
            progress.show(`Running ${title(event.cell)}`);
          }
        },
      ),
    ).finally(() => progress.end());
    const failed = document.cells.filter(({ status }) => status === "error");
    if (failed.length > 0) process.exitCode = 1;
    if (options.json) return printJson(document);
    for (const cell of document.cells) if (cell.kind === "code") printCell(cell);
    if (failed.length > 0) print(paint("red", `${counted(failed.length, "cell")} failed.`));
  });
}

/** `notebooks/delays.ts` and `delays.ts` mean `delays`. */
export function notebookName(text: string): string {
  return text.replace(/^(\.\/)?notebooks\//, "").replace(/\.ts$/, "");
}

function printCell(cell: CellState): void {
  const took = cell.fromCache
    ? "cached"
    : cell.durationMs === undefined
      ? ""
      : duration(cell.durationMs);
  const state = cell.status === "ok" ? took : `${cell.status}${took ? `, ${took}` : ""}`;
  print(`${paint("bold", title(cell))}  ${paint(cell.status === "error" ? "red" : "dim", state)}`);
  for (const output of cell.outputs) {
    for (const line of outputText(output).split("\n")) print(`  ${line}`.trimEnd());
  }
}

function title(cell: CellState): string {
  return cell.defines.join(", ") || firstLine(cell.source);
}

function firstLine(source: string): string {
  const line = source.trim().split("\n")[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 59)}…` : line || "(empty cell)";
}

function outputText(output: Output): string {
  switch (output.kind) {
    case "table": {
      const size = `${counted(output.rows, "row")} × ${output.columns.length}  ${output.table.slice(0, 12)}`;
      const sum =
        output.read === undefined || output.filtered === undefined
          ? ""
          : `  (read ${count(output.read)} = written ${count(output.read - output.filtered)} + filtered ${count(output.filtered)})`;
      return `${output.name}: ${size}${sum}${output.truncated ? `  ${output.truncated}` : ""}`;
    }
    case "text":
      return output.text.replace(/\n$/, "") + (output.truncated ? `\n${output.truncated}` : "");
    case "metric":
      return [
        `${output.name}: ${output.value ?? "no value"}  (${counted(output.rows, "row")})`,
        ...(output.warnings ?? []).map((warning) => `  ${warning}`),
      ].join("\n");
    case "markdown":
      return output.text;
    case "chart":
      return `chart of ${counted(output.rows.length, "row")}`;
    case "problem": {
      // It stands under its cell: only the line is news.
      const { cell: _, ...at } = output.problem.at ?? {};
      const { at: __, ...problem } = output.problem;
      return problemText(Object.keys(at).length > 0 ? { ...problem, at } : problem, "✗");
    }
    default:
      return output satisfies never;
  }
}
