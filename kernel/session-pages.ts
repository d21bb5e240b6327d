import type { CellId, NotebookDocument, SessionEvent } from "./document.ts";
import { later } from "./later.ts";
import { cellStates, variablesOf } from "./session-document.ts";
import { isDirty, type Session } from "./session-state.ts";

/** Console lines come in bursts; pages are told at this pace. */
const streamDelayMs = 30;
/** Beyond this many cells a page is better told everything at once. */
const mostPatches = 8;

/** The pages that look at a session, and what they are told. */
export function openPages(read: { session(): Session; document(): NotebookDocument }) {
  const listeners = new Set<(event: SessionEvent) => void>();
  const streamed = new Set<CellId>();
  const stream = later(streamDelayMs, () => tell([...streamed]));

  function emit(event: SessionEvent): void {
    for (const listener of listeners) listener(event);
  }

  function tell(cells: CellId[] | "all"): void {
    const told = cells === "all" ? [] : [...new Set([...streamed, ...cells])];
    streamed.clear();
    if (listeners.size === 0) return;
    if (cells === "all" || told.length > mostPatches) {
      emit({ type: "document", document: read.document() });
      return;
    }
    const session = read.session();
    const common = {
      variables: variablesOf(session),
      isDirty: isDirty(session),
      running: session.running ?? null,
    };
    for (const cell of cellStates(session, told)) emit({ type: "cell", cell, ...common });
  }

  return {
    emit,
    tell,
    /** For what streams: soon, together with what else streams. */
    tellSoon(cells: CellId[]): void {
      for (const cell of cells) streamed.add(cell);
      stream.ask();
    },
    subscribe(listener: (event: SessionEvent) => void): () => void {
      listeners.add(listener);
      listener({ type: "document", document: read.document() });
      return () => listeners.delete(listener);
    },
    close: () => stream.cancel(),
  };
}
