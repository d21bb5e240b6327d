import type { Problem } from "#snapshots/problem.ts";
import { analyseCell } from "./analysis.ts";
import type { CellId, Operation, Output, Variable } from "./document.ts";
import { buildGraph, closure, type Graph } from "./graph.ts";
import { cellLabel } from "./locate.ts";
import { matchCells } from "./match-cells.ts";
import {
  insertCell,
  moveCell,
  parseNotebook,
  removeCell,
  replaceCell,
  serialise,
  setDisabled,
  sourceOf,
  type Notebook,
  type NotebookCell,
} from "./notebook.ts";

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

export function startSession(name: string, path: string, text: string): Session {
  const notebook = parseNotebook(text);
  const ids = notebook.cells.map((_, index) => `c${index + 1}`);
  return {
    name,
    path,
    notebook,
    ids,
    records: {},
    savedText: text,
    queue: [],
    nextId: ids.length + 1,
  };
}

export function apply(session: Session, operation: Operation | Happening): Applied {
  switch (operation.type) {
    case "edit":
      return edited(session, operation.cell, (notebook, index) =>
        replaceCell(notebook, index, operation.source),
      );
    case "setDisabled":
      return edited(
        session,
        operation.cell,
        (notebook, index) => setDisabled(notebook, index, operation.disabled),
        "all",
      );
    case "insert":
      return insert(session, operation);
    case "remove":
      return remove(session, operation.cell);
    case "move":
      return move(session, operation.cell, operation.after);
    case "run":
      return enqueue(session, operation.cells);
    case "runStale":
      return enqueue(session, [], unfreshCells(session));
    case "runAll":
      return enqueue(session, codeCells(session));
    case "interrupt":
      return interrupt(session);
    case "save":
      return {
        session,
        effects: [
          { type: "write", text: serialise(session.notebook), expected: session.savedText },
        ],
      };
    case "reload":
      return { session, effects: [{ type: "readDisk" }] };
    case "started":
      return {
        session: { ...session, running: { cell: operation.cell, startedAt: operation.at } },
        effects: [tell(operation.cell)],
      };
    case "output":
      return output(session, operation.cell, operation.output);
    case "finished":
      return finished(session, operation);
    case "interrupted":
      return interrupted(session, operation);
    case "disk":
      return disk(session, operation.text);
    case "written":
      return {
        session: withoutConflict({ ...session, savedText: operation.text }),
        effects: [tell()],
      };
  }
}

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

function edited(
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

function insert(session: Session, operation: Extract<Operation, { type: "insert" }>): Applied {
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

function remove(session: Session, id: CellId): Applied {
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

function move(session: Session, id: CellId, after: CellId | null): Applied {
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

/** Asked-for cells run whatever their state; what they depend on runs where it is not fresh. In the order of the file. */
function enqueue(session: Session, asked: CellId[], stale: CellId[] = []): Applied {
  const graph = graphOf(session);
  const fresh = freshCells(session, graph);
  const runnable = new Set(codeCells(session));
  const wanted = new Set([...asked, ...stale].filter((id) => runnable.has(id)));
  const ancestors = [...closure(graph.needs, wanted)].filter(
    (id) => wanted.has(id) || !fresh.has(id),
  );
  const waiting = new Map(session.queue.map((entry) => [entry.cell, entry]));
  for (const cell of ancestors) {
    if (cell === session.running?.cell && !asked.includes(cell)) continue;
    waiting.set(cell, {
      cell,
      isAsked: asked.includes(cell) || (waiting.get(cell)?.isAsked ?? false),
    });
  }
  const queue = session.ids.flatMap((id) => waiting.get(id) ?? []);
  return next(
    { ...session, queue },
    queue.map((entry) => entry.cell),
  );
}

/** Starts the next cell of the queue, when none runs. Cells that became fresh in the meantime are passed over. */
function next(session: Session, told: CellId[]): Applied {
  if (session.running) return { session, effects: [{ type: "tell", cells: told }] };
  const fresh = freshCells(session);
  const queue = session.queue.filter((entry) => entry.isAsked || !fresh.has(entry.cell));
  const passed = session.queue.filter((entry) => !queue.includes(entry)).map((entry) => entry.cell);
  const [first, ...rest] = queue;
  const cells = [...new Set([...told, ...passed])];
  if (!first) return { session: { ...session, queue }, effects: [{ type: "tell", cells }] };
  // Marked as running at once, so that the next cell waits; the edge says when it began.
  const running = { cell: first.cell, startedAt: 0 };
  return {
    session: { ...session, queue: rest, running },
    effects: [
      { type: "tell", cells },
      { type: "run", cell: first.cell },
    ],
  };
}

function interrupt(session: Session): Applied {
  const cells = session.queue.map((entry) => entry.cell);
  const effects: Effect[] = cells.length > 0 ? [{ type: "tell", cells }] : [];
  if (session.running) effects.push({ type: "interrupt" });
  return { session: { ...session, queue: [] }, effects };
}

function output(session: Session, id: CellId, shown: Output): Applied {
  if (session.running?.cell !== id) return { session, effects: [] };
  const record = session.records[id];
  const isFirst = record?.run !== undefined || record === undefined;
  const { run: _, ...kept } = record ?? { outputs: [], variables: [] };
  const outputs = isFirst ? [shown] : appended(kept.outputs, shown);
  return {
    session: { ...session, records: { ...session.records, [id]: { ...kept, outputs } } },
    effects: [tell(id)],
  };
}

/** Text of one stream in a row is one output. */
export function appended(outputs: Output[], shown: Output): Output[] {
  const last = outputs.at(-1);
  if (
    last?.kind === "text" &&
    shown.kind === "text" &&
    last.stream === shown.stream &&
    shown.stream !== "value"
  )
    return outputs.with(-1, { ...last, ...shown, text: last.text + shown.text });
  return [...outputs, shown];
}

function finished(session: Session, done: Extract<Happening, { type: "finished" }>): Applied {
  const { type: _, cell, ...record } = done;
  if (!session.ids.includes(cell)) return next(withoutRunning(session), []);
  const before = freshCells(session);
  const after = withoutRunning({ ...session, records: { ...session.records, [cell]: record } });
  const fresh = freshCells(after);
  const changed = session.ids.filter((id) => id === cell || before.has(id) !== fresh.has(id));
  const dependents = closure(graphOf(after).feeds, [cell]);
  return next(
    after,
    session.ids.filter((id) => changed.includes(id) || dependents.has(id)),
  );
}

/** Everything else keeps its result; the cell says what happened to it. */
function interrupted(
  session: Session,
  happened: Extract<Happening, { type: "interrupted" }>,
): Applied {
  const { cell, problem, durationMs } = happened;
  if (!session.ids.includes(cell)) return next(withoutRunning(session), []);
  const record: CellRecord = {
    outputs: [
      ...(session.records[cell]?.run ? [] : (session.records[cell]?.outputs ?? [])),
      { kind: "problem", problem },
    ],
    variables: [],
    durationMs,
    run: { isOk: false, fingerprint: "", inputs: {}, values: {} },
  };
  const dependents = closure(graphOf(session).feeds, [cell]);
  return next(
    withoutRunning({ ...session, records: { ...session.records, [cell]: record } }),
    session.ids.filter((id) => dependents.has(id)),
  );
}

/** The file changed on disk: take it over cell by cell, or say so when there are edits it would overwrite. */
function disk(session: Session, text: string): Applied {
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
  const textOf = (cell: NotebookCell) => `${cell.kind}\n${sourceOf(cell)}`;
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

function unfreshCells(session: Session): CellId[] {
  const fresh = freshCells(session);
  return codeCells(session).filter((id) => !fresh.has(id));
}

function codeCells(session: Session): CellId[] {
  return session.notebook.cells.flatMap((cell, index) =>
    isRunnable(cell) ? (session.ids[index] ?? []) : [],
  );
}

function unknownCell(session: Session, id: CellId): Applied {
  const problem: Problem = {
    code: "no-cell",
    message: `The notebook has no cell ${id} any more.`,
    hint: "It was removed, perhaps in another tab. The page shows the notebook as it is now.",
  };
  return { session, effects: [{ type: "problem", problem }, tell()] };
}

function withoutRunning({ running: _, ...session }: Session): Session {
  return session;
}

function withoutConflict({ conflict: _, ...session }: Session): Session {
  return session;
}

function tell(cell?: CellId): Effect {
  return { type: "tell", cells: cell === undefined ? "all" : [cell] };
}
