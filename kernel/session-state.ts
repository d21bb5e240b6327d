import type { Problem } from "#snapshots/problem.ts";
import { analyseCell } from "./analysis.ts";
import type { CellId, Output, Variable } from "./document.ts";
import { buildGraph, type Graph } from "./graph.ts";
import { cellLabel } from "./locate.ts";
import { serialise, sourceOf, type Notebook, type NotebookCell } from "./notebook.ts";

/** What a cell's last finished run was made from and what it made, by content. */
export type CellRun = {
  isOk: boolean;
  fingerprint: string;
  /** Key of each value it used, by name. */
  inputs: Record<string, string>;
  /** Key of each value it defined, by name. */
  values: Record<string, string>;
};

export type CellRecord = {
  run?: CellRun;
  outputs: Output[];
  variables: Variable[];
  durationMs?: number;
  fromCache?: boolean;
};

/** A notebook that is open: a value. `apply` makes the next one, and says what is to be done about it. */
export type Session = {
  name: string;
  path: string;
  notebook: Notebook;
  /** One id per cell of the notebook, in its order. */
  ids: CellId[];
  records: Record<CellId, CellRecord>;
  /** The file as it was last read or written. */
  savedText: string;
  queue: { cell: CellId; isAsked: boolean }[];
  running?: { cell: CellId; startedAt: number };
  conflict?: Problem;
  nextId: number;
};

/** What happens to a session besides what pages ask for. */
export type Happening =
  | { type: "started"; cell: CellId; at: number }
  | { type: "output"; cell: CellId; output: Output }
  | {
      type: "finished";
      cell: CellId;
      run: CellRun;
      outputs: Output[];
      variables: Variable[];
      durationMs: number;
      fromCache: boolean;
    }
  | { type: "interrupted"; cell: CellId; problem: Problem; durationMs: number }
  | { type: "disk"; text: string }
  | { type: "written"; text: string };

export type Effect =
  | { type: "run"; cell: CellId }
  | { type: "interrupt" }
  | { type: "write"; text: string; expected: string }
  | { type: "readDisk" }
  /** Pages are told of these cells, or of everything. */
  | { type: "tell"; cells: CellId[] | "all" }
  | { type: "problem"; problem: Problem };

export type Applied = { session: Session; effects: Effect[] };

/** The graph of the enabled code cells. */
export function graphOf(session: Session): Graph {
  const cells = session.notebook.cells.flatMap((cell, index) =>
    isRunnable(cell)
      ? [{ id: session.ids[index] ?? "", analysis: analyseCell(sourceOf(cell)) }]
      : [],
  );
  return buildGraph(cells, (id) => cellLabel(session.ids.indexOf(id)));
}

/** The code cells whose last run still stands: same code, same values used. */
export function freshCells(session: Session, graph: Graph = graphOf(session)): Set<CellId> {
  const fresh = new Set<CellId>();
  const byDefiner = new Map<CellId, { from: CellId; name: string }[]>();
  for (const { from, to, name } of graph.edges)
    byDefiner.set(to, [...(byDefiner.get(to) ?? []), { from, name }]);
  session.notebook.cells.forEach((cell, index) => {
    const id = session.ids[index] ?? "";
    const run = session.records[id]?.run;
    if (!isRunnable(cell) || !run || run.fingerprint !== analyseCell(sourceOf(cell)).fingerprint)
      return;
    const used = byDefiner.get(id) ?? [];
    const isSame = ({ from, name }: { from: CellId; name: string }) =>
      fresh.has(from) && session.records[from]?.run?.values[name] === run.inputs[name];
    if (used.length === Object.keys(run.inputs).length && used.every(isSame)) fresh.add(id);
  });
  return fresh;
}

/** The keys of the values a cell uses now, by name. */
export function inputKeys(session: Session, cell: CellId, graph: Graph): Record<string, string> {
  const used = graph.edges.filter((edge) => edge.to === cell);
  return Object.fromEntries(
    used.map(({ from, name }) => [name, session.records[from]?.run?.values[name] ?? ""]),
  );
}

export function isDirty(session: Session): boolean {
  return serialise(session.notebook) !== session.savedText;
}

export function cellOf(session: Session, id: CellId): NotebookCell | undefined {
  return session.notebook.cells[session.ids.indexOf(id)];
}

export function isRunnable(cell: NotebookCell): boolean {
  return cell.kind === "code" && !cell.disabled;
}

/** The enabled code cells, in the order of the file. */
export function codeCells(session: Session): CellId[] {
  return session.notebook.cells.flatMap((cell, index) =>
    isRunnable(cell) ? (session.ids[index] ?? []) : [],
  );
}

export function tell(cell?: CellId): Effect {
  return { type: "tell", cells: cell === undefined ? "all" : [cell] };
}
