import type { CellId, Output } from "./document.ts";
import { closure } from "./graph.ts";
import {
  codeCells,
  freshCells,
  graphOf,
  tell,
  type Applied,
  type CellRecord,
  type Effect,
  type Happening,
  type Session,
} from "./session-state.ts";

/** Asked-for cells run whatever their state; what they depend on runs where it is not fresh. In the order of the file. */
export function enqueue(session: Session, asked: CellId[], stale: CellId[] = []): Applied {
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

export function interrupt(session: Session): Applied {
  const cells = session.queue.map((entry) => entry.cell);
  const effects: Effect[] = cells.length > 0 ? [{ type: "tell", cells }] : [];
  if (session.running) effects.push({ type: "interrupt" });
  return { session: { ...session, queue: [] }, effects };
}

export function output(session: Session, id: CellId, shown: Output): Applied {
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
    return outputs.with(outputs.length - 1, { ...last, ...shown, text: last.text + shown.text });
  return [...outputs, shown];
}

export function finished(
  session: Session,
  done: Extract<Happening, { type: "finished" }>,
): Applied {
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
export function interrupted(
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

export function unfreshCells(session: Session): CellId[] {
  const fresh = freshCells(session);
  return codeCells(session).filter((id) => !fresh.has(id));
}

function withoutRunning(session: Session): Session {
  const { running: _, ...rest } = session;
  return rest;
}
