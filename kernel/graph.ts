import type { Problem } from "#snapshots/problem.ts";
import { penstockNames, placeOf, type CellAnalysis } from "./analysis.ts";
import type { CellId } from "./document.ts";

/** What the graph needs to know of a cell; Markdown and disabled cells are left out by the caller. */
export type GraphCell = { id: CellId; analysis: CellAnalysis };

export type Edge = { from: CellId; to: CellId; name: string };

export type Graph = {
  edges: Edge[];
  /** The cell that defines each name. */
  definers: Map<string, CellId>;
  /** Cells a cell depends on, directly. */
  needs: Map<CellId, Set<CellId>>;
  /** Cells that depend on a cell, directly. */
  feeds: Map<CellId, Set<CellId>>;
  problems: Map<CellId, Problem[]>;
};

/** Who defines what, who uses it, and what is wrong with that. `cells` are in the order of the file. */
export function buildGraph(
  cells: GraphCell[],
  labelOf: (id: CellId) => string = (id) => id,
): Graph {
  const definers = new Map<string, CellId>();
  const problems = new Map<CellId, Problem[]>();
  const position = new Map(cells.map((cell, index) => [cell.id, index]));
  const imported = new Set<string>();
  const add = (id: CellId, problem: Problem) =>
    problems.set(id, [...(problems.get(id) ?? []), problem]);

  for (const { id, analysis } of cells) {
    for (const name of penstockImports(analysis)) imported.add(name);
    for (const name of [...analysis.defines, ...analysis.types]) {
      const first = definers.get(name);
      if (first !== undefined && first !== id) {
        add(id, {
          code: "defined-twice",
          message: `\`${name}\` is already defined in ${labelOf(first)}.`,
          hint: "A name has one definer. Rename one of the two, or put both in one cell.",
          at: { cell: id, ...placeOfDefinition(analysis, name) },
        });
      } else definers.set(name, id);
    }
  }

  const edges: Edge[] = [];
  const needs = new Map<CellId, Set<CellId>>(cells.map((cell) => [cell.id, new Set()]));
  const feeds = new Map<CellId, Set<CellId>>(cells.map((cell) => [cell.id, new Set()]));
  for (const { id, analysis } of cells) {
    for (const name of new Set([...analysis.uses, ...analysis.typeUses])) {
      const from = definers.get(name);
      if (from === undefined || from === id) continue;
      edges.push({ from, to: id, name });
      needs.get(id)?.add(from);
      feeds.get(from)?.add(id);
    }
  }

  for (const { id, analysis } of cells) {
    for (const name of analysis.uses) {
      const from = definers.get(name);
      const at = { cell: id, ...placeOfUse(analysis, name) };
      if (from === undefined) {
        if (penstockNames.some((known) => known === name) && !imported.has(name))
          add(id, {
            code: "not-imported",
            message: `\`${name}\` is not imported.`,
            hint: `Add it to \`import { ${name} } from "penstock";\` in the first code cell.`,
            at,
          });
        continue;
      }
      if (from === id) continue;
      if (isWrittenBy(analysis, name)) {
        add(id, {
          code: "cross-cell-assignment",
          message: `\`${name}\` belongs to ${labelOf(from)}; another cell cannot assign to it.`,
          hint: `Define a new name here, or move this line into ${labelOf(from)}.`,
          at,
        });
      }
      if ((position.get(from) ?? 0) < (position.get(id) ?? 0)) continue;
      const isCycle = reaches(feeds, id, from);
      add(id, {
        code: isCycle ? "cycle" : "used-above-definition",
        message: isCycle
          ? `\`${name}\` comes from ${labelOf(from)}, which itself needs this cell: neither can run first.`
          : `\`${name}\` is used above its definition in ${labelOf(from)}.`,
        hint: isCycle
          ? "Put the two cells in one, or take out one of the uses."
          : `Move the cell: this one below ${labelOf(from)}, or ${labelOf(from)} above this one.`,
        at,
      });
    }
  }
  return { edges, definers, needs, feeds, problems };
}

/** A cell and everything it depends on, or (along `feeds`) everything that depends on it. */
export function closure(links: Map<CellId, Set<CellId>>, starts: Iterable<CellId>): Set<CellId> {
  const found = new Set<CellId>(starts);
  const open = [...found];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const next of links.get(id) ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      open.push(next);
    }
  }
  return found;
}

function reaches(links: Map<CellId, Set<CellId>>, from: CellId, to: CellId): boolean {
  return closure(links, links.get(from) ?? []).has(to);
}

/** Names a cell imports from "penstock". */
export function penstockImports(analysis: CellAnalysis): string[] {
  return analysis.imports.flatMap((found) => (found.specifier === "penstock" ? found.names : []));
}

function isWrittenBy(analysis: CellAnalysis, name: string): boolean {
  return analysis.statements.some((statement) => statement.writes.includes(name));
}

function placeOfUse(analysis: CellAnalysis, name: string): { line: number; column: number } {
  const statement = analysis.statements.find((found) => found.uses.includes(name));
  const inside = statement
    ? new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}(?![\\w$])`).exec(
        statement.node.getText(analysis.file),
      )
    : null;
  return placeOf(analysis.file, (statement?.start ?? 0) + (inside?.index ?? 0));
}

function placeOfDefinition(analysis: CellAnalysis, name: string): { line: number; column: number } {
  const statement = analysis.statements.find((found) => found.defines.includes(name));
  return placeOf(analysis.file, statement?.start ?? 0);
}
