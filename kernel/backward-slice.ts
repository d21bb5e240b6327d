import ts from "typescript";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { penstockNames, placeOf, type CellAnalysis, type CellStatement } from "./analysis.ts";
import { literalOf } from "./literal.ts";
import { purityProblems, statefulRegexes } from "./purity.ts";

/** A code cell of the notebook: where its text begins in the file, and what is in it. */
export type SliceCell = {
  label: string;
  offset: number;
  firstLine: number;
  analysis: CellAnalysis;
};

export type BackwardSlice = {
  /** The notebook's text with everything the transform does not need blanked: offsets and lines stay. */
  code: string;
  /** Names whose values were put in place of the code that computed them. */
  captured: string[];
  /** Every name the slice holds, in the order of the file. */
  names: string[];
  /** Those of them that may hold data: what all records share, and none may change. */
  shared: string[];
  /** Transforms among what was kept, the wanted one included. */
  transforms: string[];
  /** Names given to the wanted metric statements, in the order of the file. */
  metrics: string[];
  /** The same for statements that expect something of a difference, and where each stands. */
  expectations: { name: string; cell: string; line: number }[];
};

type Kept = { cell: SliceCell; statement: CellStatement };

/**
 * What a transform (and, on demand, the metrics over it) needs of a notebook, at the granularity of statements:
 * declarations it reaches, and the statements that fill them. A value that had to be waited for cannot be computed
 * again in a bundle: its captured value stands in, or the slice is refused.
 */
export function sliceNotebook(request: {
  text: string;
  cells: SliceCell[];
  names: string[];
  /** Which metric statements to keep: those over a transform, or those of one cell. */
  metrics?: { over: string } | { inCell: string } | undefined;
  captured?: Record<string, unknown> | undefined;
}): Result<BackwardSlice> {
  const { text, cells, captured = {} } = request;
  const all: Kept[] = cells.flatMap((cell) =>
    cell.analysis.statements.map((statement) => ({ cell, statement })),
  );
  // A name may have several statements: a function's overloads, a type beside the value of its name.
  const definers = new Map<string, Kept[]>();
  for (const entry of all)
    for (const name of entry.statement.defines)
      definers.set(name, [...(definers.get(name) ?? []), entry]);
  const metrics = all.filter((entry) => entry.statement.isMetric && isWanted(entry));
  const expectations = all.filter((entry) => entry.statement.isExpectation && isWanted(entry));

  const kept = new Set<Kept>();
  const replaced = new Map<Kept, Set<string>>();
  const wanted = [...request.names];
  const seen = new Set<string>();
  const open = (entry: Kept): void => {
    if (kept.has(entry)) return;
    kept.add(entry);
    wanted.push(...entry.statement.uses);
  };
  for (const entry of [...metrics, ...expectations]) open(entry);
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const definer of definers.get(name) ?? []) {
      if (definer.statement.hasAwait) {
        if (!Object.hasOwn(captured, name)) return fail(cannotRepeat(name, definer));
        replaced.set(definer, (replaced.get(definer) ?? new Set()).add(name));
        continue;
      }
      open(definer);
      if (ts.isImportDeclaration(definer.statement.node)) continue;
      for (const entry of all) {
        if (entry.cell !== definer.cell || !fills(entry.statement, name)) continue;
        if (!entry.statement.hasAwait) open(entry);
        else if (Object.hasOwn(captured, name))
          replaced.set(definer, (replaced.get(definer) ?? new Set()).add(name));
        else return fail(cannotRepeat(name, entry));
      }
    }
  }
  for (const [entry, names] of replaced) {
    if (entry.statement.defines.every((name) => names.has(name) || !seen.has(name)))
      kept.delete(entry);
    else return fail(cannotRepeat([...names][0] ?? "", entry));
  }
  const problem = firstImpurity([...kept]);
  if (problem) return fail(problem);

  const edits: { start: number; end: number; text: string }[] = [];
  const metricNames: string[] = [];
  const expected: BackwardSlice["expectations"] = [];
  for (const entry of all) {
    const { start, end } = rangeOf(entry);
    const values = replaced.get(entry);
    if (values) {
      const declarations = [...values]
        .toSorted()
        .map((name) => `const ${name} = ${literalOf(captured[name])};`);
      edits.push({
        start,
        end,
        text: declarations.join(" ") + blank(text.slice(start, end)).replace(/^ */, ""),
      });
    } else if (kept.has(entry)) {
      const isMetric = metrics.includes(entry);
      if (expectations.includes(entry)) {
        const { cell, statement } = entry;
        const name = `__expectation${expected.length}`;
        const { line } = placeOf(cell.analysis.file, statement.start);
        expected.push({ name, cell: cell.label, line });
        edits.push({ start, end, text: `const ${name} = ${uncommented(entry)}` });
        continue;
      }
      if (isMetric && ts.isExpressionStatement(entry.statement.node)) {
        const name = `__metric${metricNames.length}`;
        metricNames.push(name);
        edits.push({ start, end, text: `const ${name} = ${uncommented(entry)}` });
      } else {
        if (isMetric)
          metricNames.push(
            ...entry.statement.defines.filter(
              (name) => entry.cell.analysis.kinds[name] === "metric",
            ),
          );
        edits.push({ start, end, text: uncommented(entry) });
      }
    }
  }
  const inOrder = all.filter((entry) => kept.has(entry));
  const transforms = inOrder.flatMap(({ cell, statement }) =>
    statement.defines.filter((name) => cell.analysis.kinds[name] === "transform"),
  );
  return ok({
    code: onlyThese(text, edits),
    captured: [...replaced.values()].flatMap((names) => [...names]).toSorted(),
    names: [...new Set(inOrder.flatMap(({ statement }) => statement.defines))],
    shared: all.flatMap((entry) =>
      kept.has(entry) || replaced.has(entry) ? sharedNames(entry, replaced.get(entry)) : [],
    ),
    transforms,
    metrics: metricNames,
    expectations: expected,
  });

  function isWanted(entry: Kept): boolean {
    if (!request.metrics) return false;
    if ("inCell" in request.metrics) return entry.cell.label === request.metrics.inCell;
    return reaches(entry, request.metrics.over);
  }

  function reaches(entry: Kept, target: string): boolean {
    const names = new Set<string>();
    const todo = [...entry.statement.uses];
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === target) return true;
      if (names.has(name)) continue;
      names.add(name);
      todo.push(...(definers.get(name) ?? []).flatMap((entry) => entry.statement.uses));
    }
    return false;
  }
}

function sharedNames({ cell, statement }: Kept, captured: Set<string> | undefined): string[] {
  if (!ts.isVariableStatement(statement.node)) return [];
  return statement.defines.filter(
    (name) => cell.analysis.kinds[name] === "value" && (captured?.has(name) ?? true),
  );
}

/** Whether a statement that declares nothing may change what a name holds: `map.set(…)`, a loop that fills it. */
function fills(statement: CellStatement, name: string): boolean {
  if (statement.defines.length > 0 || statement.isDisplay || !statement.uses.includes(name))
    return false;
  return !ts.isImportDeclaration(statement.node) && !ts.isExportDeclaration(statement.node);
}

function firstImpurity(kept: Kept[]): Problem | undefined {
  const names = new Set(kept.flatMap(({ statement }) => statement.defines));
  for (const name of penstockNames) names.add(name);
  const regexes = new Set(kept.flatMap(({ statement }) => statefulRegexes(statement.node)));
  for (const { cell, statement } of [...kept].toSorted(
    (a, b) => a.cell.offset - b.cell.offset || a.statement.start - b.statement.start,
  )) {
    const [problem] = purityProblems(statement.node, cell.analysis.file, names, regexes);
    if (problem) return inNotebook(problem, cell);
  }
  return undefined;
}

/** A problem placed in a cell, placed in the notebook's file too. */
export function inNotebook(problem: Problem, cell: SliceCell): Problem {
  return { ...problem, at: { ...problem.at, cell: cell.label } };
}

function cannotRepeat(name: string, { cell, statement }: Kept): Problem {
  return {
    code: "not-repeatable",
    message: `\`${name}\` waits for data, so a transform's bundle cannot compute it again.`,
    hint: "Separate the coefficients from the prediction: keep the fitted numbers as plain data in a cell that has run, and let the transform use only those; or read the table as a lookup.",
    at: { cell: cell.label, ...placeOf(cell.analysis.file, statement.start) },
  };
}

function rangeOf({ cell, statement }: Kept): { start: number; end: number } {
  return { start: cell.offset + statement.start, end: cell.offset + statement.end };
}

/** The statement's text with comments blanked, so that a comment never changes a bundle's bytes. */
function uncommented({ cell, statement }: Kept): string {
  const { file } = cell.analysis;
  let text = "";
  let at = statement.start;
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(file);
    if (children.length > 0) {
      children.forEach(visit);
      return;
    }
    const start = node.getStart(file);
    if (start >= node.getEnd()) return;
    text += blank(file.text.slice(at, start)) + file.text.slice(start, node.getEnd());
    at = node.getEnd();
  };
  visit(statement.node);
  return text;
}

function onlyThese(text: string, edits: { start: number; end: number; text: string }[]): string {
  let at = 0;
  let code = "";
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    code += blank(text.slice(at, edit.start)) + edit.text;
    at = edit.end;
  }
  return code + blank(text.slice(at));
}

function blank(text: string): string {
  return text.replace(/[^\r\n]/g, " ");
}
