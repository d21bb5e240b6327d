import { SourceMap } from "node:module";
import type { Problem } from "#snapshots/problem.ts";

const maps = new Map<string, SourceMap>();

/** The place in the notebook's file of a place in a bundle. Places outside the notebook's own code have none. */
export function placeInSource(
  sourceMap: string | undefined,
  place: { line?: number; column?: number },
): { line?: number; column?: number } {
  if (sourceMap === undefined || place.line === undefined) return {};
  const found = read(sourceMap).findEntry(place.line - 1, (place.column ?? 1) - 1);
  if (!("originalLine" in found) || !found.originalSource.endsWith("notebook:notebook")) return {};
  return { line: found.originalLine + 1, column: found.originalColumn + 1 };
}

/** A problem at a place in a bundle, placed in the notebook's file instead. */
export function placedInSource(problem: Problem, sourceMap: string | undefined): Problem {
  const { line, column, ...at } = problem.at ?? {};
  if (line === undefined) return problem;
  return {
    ...problem,
    at: {
      ...at,
      ...placeInSource(sourceMap, { line, ...(column === undefined ? {} : { column }) }),
    },
  };
}

function read(text: string): SourceMap {
  const known = maps.get(text);
  if (known) return known;
  // esbuild wrote it.
  const map = new SourceMap(JSON.parse(text));
  if (maps.size > 50) maps.clear();
  maps.set(text, map);
  return map;
}
