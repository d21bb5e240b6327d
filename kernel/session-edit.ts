import type { Problem } from "#snapshots/problem.ts";
import { analyseCell } from "./analysis.ts";
import type { CellId, Operation } from "./document.ts";
import { closure } from "./graph.ts";
import { matchCells } from "./match-cells.ts";
import {
  insertCell,
  moveCell,
  parseNotebook,
  removeCell,
  serialise,
  sourceOf,
  type Notebook,
  type NotebookCell,
} from "./notebook.ts";
import { graphOf, isDirty, tell, type Applied, type Session } from "./session-state.ts";

export function edited(
  session: Session,
  id: CellId,
  change: (notebook: Notebook, index: number) => Notebook,
  told?: "all",
): Applied {
  const index = session.ids.indexOf(id);
  if (index === -1) return unknownCell(session, id);
  const before = analysed(session, index);
  const next = { ...session, notebook: change(session.notebook, index) };
  const after = analysed(next, index);
  const isSameShape =
    told === undefined &&
    before?.fingerprint !== undefined &&
    String(before.defines) === String(after?.defines) &&
    String(before.uses) === String(after?.uses);
  if (!isSameShape) return { session: next, effects: [tell()] };
  const dependents = closure(graphOf(next).feeds, [id]);
  return {
    session: next,
    effects: [
      { type: "tell", cells: session.ids.filter((cell) => dependents.has(cell) || cell === id) },
    ],
  };
}

function analysed(session: Session, index: number) {
  const cell = session.notebook.cells[index];
  return cell?.kind === "code" ? analyseCell(sourceOf(cell)) : undefined;
}

export function insert(
  session: Session,
  operation: Extract<Operation, { type: "insert" }>,
): Applied {
  const at = operation.after === null ? 0 : session.ids.indexOf(operation.after) + 1;
  if (at === 0 && operation.after !== null) return unknownCell(session, operation.after);
  const id = `c${session.nextId}`;
  return {
    session: {
      ...session,
      notebook: insertCell(session.notebook, at, operation.kind, operation.source ?? ""),
      ids: session.ids.toSpliced(at, 0, id),
      nextId: session.nextId + 1,
    },
    effects: [tell()],
  };
}

export function remove(session: Session, id: CellId): Applied {
  const index = session.ids.indexOf(id);
  if (index === -1) return unknownCell(session, id);
  const { [id]: _, ...records } = session.records;
  return {
    session: {
      ...session,
      notebook: removeCell(session.notebook, index),
      ids: session.ids.toSpliced(index, 1),
      records,
      queue: session.queue.filter((entry) => entry.cell !== id),
    },
    effects: [...(session.running?.cell === id ? [{ type: "interrupt" as const }] : []), tell()],
  };
}

export function move(session: Session, id: CellId, after: CellId | null): Applied {
  const from = session.ids.indexOf(id);
  if (from === -1) return unknownCell(session, id);
  const rest = session.ids.toSpliced(from, 1);
  const to = after === null ? 0 : rest.indexOf(after) + 1;
  if (to === 0 && after !== null) return unknownCell(session, after);
  return {
    session: {
      ...session,
      notebook: moveCell(session.notebook, from, to),
      ids: rest.toSpliced(to, 0, id),
    },
    effects: [tell()],
  };
}

/** The file changed on disk: take it over cell by cell, or say so when there are edits it would overwrite. */
export function disk(session: Session, text: string): Applied {
  if (text === session.savedText) return { session: withoutConflict(session), effects: [] };
  if (text === serialise(session.notebook)) {
    return { session: withoutConflict({ ...session, savedText: text }), effects: [tell()] };
  }
  if (isDirty(session)) {
    const conflict: Problem = {
      code: "changed-on-disk",
      message: `${session.path} was changed by another program, and here it has edits that are not saved.`,
      hint: "Reload takes the file and drops the edits here; Save writes the edits here over the file.",
      at: { file: session.path },
    };
    return { session: { ...session, conflict }, effects: [tell()] };
  }
  return reloaded(session, text);
}

/** The session over another text, each cell keeping what is known of it. */
export function reloaded(session: Session, text: string): Applied {
  const notebook = parseNotebook(text);
  const matches = matchCells(session.notebook.cells.map(textOf), notebook.cells.map(textOf));
  let { nextId } = session;
  const ids = matches.map(
    (match) => (match === undefined ? undefined : session.ids[match]) ?? `c${nextId++}`,
  );
  const records = Object.fromEntries(
    Object.entries(session.records).filter(([id]) => ids.includes(id)),
  );
  const isGone = session.running !== undefined && !ids.includes(session.running.cell);
  return {
    session: withoutConflict({
      ...session,
      notebook,
      ids,
      records,
      nextId,
      savedText: text,
      queue: session.queue.filter((entry) => ids.includes(entry.cell)),
    }),
    effects: [...(isGone ? [{ type: "interrupt" as const }] : []), tell()],
  };
}

function unknownCell(session: Session, id: CellId): Applied {
  const problem: Problem = {
    code: "no-cell",
    message: `The notebook has no cell ${id} any more.`,
    hint: "It was removed, perhaps in another tab. The page shows the notebook as it is now.",
  };
  return { session, effects: [{ type: "problem", problem }, tell()] };
}

export function withoutConflict(session: Session): Session {
  const { conflict: _, ...rest } = session;
  return rest;
}

function textOf(cell: NotebookCell): string {
  return `${cell.kind}\n${sourceOf(cell)}`;
}
