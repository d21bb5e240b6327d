import { analyseCell } from "./analysis.ts";
import type { CellId, CellState, CellStatus, NotebookDocument, Variable } from "./document.ts";
import type { Graph } from "./graph.ts";
import { sourceOf, type NotebookCell } from "./notebook.ts";
import { freshCells, graphOf, isDirty, type Session } from "./session-state.ts";

/** Everything a page draws, from a session. */
export function documentOf(
  session: Session,
  sandbox: NotebookDocument["sandbox"],
): NotebookDocument {
  const graph = graphOf(session);
  const fresh = freshCells(session, graph);
  return {
    name: session.name,
    path: session.path,
    cells: session.ids.map((id) => cellState(session, id, graph, fresh)),
    variables: variablesOf(session),
    edges: graph.edges,
    isDirty: isDirty(session),
    ...(session.conflict ? { conflict: session.conflict } : {}),
    ...(session.running ? { running: session.running } : {}),
    sandbox,
  };
}

export function cellStates(session: Session, ids: CellId[]): CellState[] {
  const graph = graphOf(session);
  const fresh = freshCells(session, graph);
  return ids
    .filter((id) => session.ids.includes(id))
    .map((id) => cellState(session, id, graph, fresh));
}

export function variablesOf(session: Session): Variable[] {
  return session.ids.flatMap((id) => session.records[id]?.variables ?? []);
}

function cellState(session: Session, id: CellId, graph: Graph, fresh: Set<CellId>): CellState {
  const cell = session.notebook.cells[session.ids.indexOf(id)];
  const source = cell ? sourceOf(cell) : "";
  const record = session.records[id];
  const analysis = cell?.kind === "code" ? analyseCell(source) : undefined;
  const isUsed = (name: string) => graph.definers.has(name);
  return {
    id,
    kind: cell?.kind ?? "code",
    source,
    disabled: cell?.disabled ?? false,
    status: statusOf(session, id, cell, fresh),
    defines: analysis ? [...analysis.defines, ...analysis.types] : [],
    uses: analysis ? analysis.uses.filter(isUsed) : [],
    outputs:
      cell?.kind === "markdown" ? [{ kind: "markdown", text: source }] : (record?.outputs ?? []),
    ...(record?.durationMs === undefined ? {} : { durationMs: record.durationMs }),
    ...(record?.fromCache === undefined ? {} : { fromCache: record.fromCache }),
  };
}

function statusOf(
  session: Session,
  id: CellId,
  cell: NotebookCell | undefined,
  fresh: Set<CellId>,
): CellStatus {
  if (cell?.disabled) return "disabled";
  if (cell?.kind === "markdown") return "ok";
  if (session.running?.cell === id) return "running";
  if (session.queue.some((entry) => entry.cell === id)) return "queued";
  const run = session.records[id]?.run;
  if (!run) return "idle";
  if (!fresh.has(id)) return run.fingerprint === "" ? "error" : "stale";
  return run.isOk ? "ok" : "error";
}
