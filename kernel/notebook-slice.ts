import { fail, type Problem, type Result } from "#snapshots/problem.ts";
import { analyseCell } from "./analysis.ts";
import { sliceNotebook, type BackwardSlice, type SliceCell } from "./backward-slice.ts";
import { buildGraph, closure } from "./graph.ts";
import { firstLines, firstOffsets, parseNotebook } from "./notebook.ts";

/** What to cut out of a notebook's text. */
export type SliceRequest = {
  text: string;
  names: string[];
  metrics?: { over: string } | { inCell: string } | undefined;
  captured?: Record<string, unknown> | undefined;
};

/** The code cells of a notebook's text, labelled as a person counts them: \`cell 3\`. Disabled cells are not there. */
export function sliceCells(text: string): SliceCell[] {
  const notebook = parseNotebook(text);
  const offsets = firstOffsets(notebook);
  const lines = firstLines(notebook);
  return notebook.cells.flatMap((cell, index) =>
    cell.kind === "code" && !cell.disabled
      ? [
          {
            label: `cell ${index + 1}`,
            offset: offsets[index] ?? 0,
            firstLine: lines[index] ?? 0,
            analysis: analyseCell(cell.body),
          },
        ]
      : [],
  );
}

/** The backward slice of some names, after checking the cells they come from. */
export function sliceText(request: SliceRequest): Result<BackwardSlice> {
  const cells = sliceCells(request.text);
  const problem = firstProblem(cells, request.names);
  if (problem) return fail(problem);
  return sliceNotebook({ ...request, cells });
}

function firstProblem(cells: SliceCell[], names: string[]): Problem | undefined {
  const graph = buildGraph(cells.map((cell) => ({ id: cell.label, analysis: cell.analysis })));
  for (const name of names)
    if (!graph.definers.has(name))
      return {
        code: "not-defined",
        message: `The notebook defines no \`${name}\`${cells.length === 0 ? ": it has no code cell that is enabled" : ""}.`,
        hint: "Check the name, or enable the cell that defines it.",
      };
  const starts = names.flatMap((name) => graph.definers.get(name) ?? []);
  const needed = closure(graph.needs, starts);
  for (const { label, analysis } of cells) {
    if (!needed.has(label)) continue;
    const [problem] = [...analysis.problems, ...(graph.problems.get(label) ?? [])];
    if (problem) return { ...problem, at: { ...problem.at, cell: label } };
  }
  return undefined;
}
