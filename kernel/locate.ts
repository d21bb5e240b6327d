import type { Problem } from "#snapshots/problem.ts";
import { firstLines, parseNotebook } from "./notebook.ts";

/** Cell and line in the cell, counted from 1, of a line of the notebook's file. */
export function locate(text: string, line: number): { index: number; line: number } | undefined {
  const lines = firstLines(parseNotebook(text));
  const index = lines.findLastIndex((first) => first < line);
  const first = lines[index];
  return first === undefined ? undefined : { index, line: line - first };
}

/** How a person counts cells: `cell 3`. */
export function cellLabel(index: number): string {
  return `cell ${index + 1}`;
}

/** The index a label counts. */
export function labelIndex(label: string | undefined): number | undefined {
  const match = /^cell (\d+)$/.exec(label ?? "");
  return match?.[1] === undefined ? undefined : Number(match[1]) - 1;
}

/** A problem placed in a notebook's file, placed in its cell instead. */
export function inCell(problem: Problem, text: string): Problem {
  if (problem.at?.line === undefined || problem.at.cell !== undefined) return problem;
  const place = locate(text, problem.at.line);
  if (!place) return problem;
  const { file: _, ...at } = problem.at;
  return { ...problem, at: { ...at, cell: cellLabel(place.index), line: place.line } };
}
