import { ok, type Result } from "#snapshots/problem.ts";
import type { NotebookDocument, Output } from "./document.ts";
import { evaluate, type CodeOf, type Evaluation } from "./evaluate.ts";
import {
  decodeStructured,
  openInteractive,
  type Cell,
  type CellResult,
  type Interactive,
  type InteractiveEvent,
  type RowsRequest,
} from "./guest/interactive.ts";
import { warmGuests } from "./guest/guest-process.ts";
import { sandboxState } from "./guest/sandbox.ts";

/** The interactive guest of one notebook. A guest that was killed is followed by a fresh one when the next cell runs. */
export type CellGuest = {
  run(
    cell: Omit<Cell, "sourceUrl">,
    onOutput: (output: Output) => void,
    signal: AbortSignal,
  ): Promise<Result<CellResult>>;
  /** A guest that lives; `live` is empty after this when it is a fresh one. */
  ready(): Promise<Result<unknown>>;
  restore(values: Record<string, unknown>): Promise<Result<void>>;
  /** Key of each value the living guest holds, by name. */
  live: Map<string, string>;
  decode(encoded: unknown): unknown;
  sandbox(): NotebookDocument["sandbox"];
  close(): Promise<void>;
};

export function openCellGuest({
  context,
  codeOf,
}: {
  context: Evaluation;
  codeOf: CodeOf;
}): CellGuest {
  const live = new Map<string, string>();
  let guest: Promise<Result<Interactive>> | undefined;
  let hear: { cell: string; onOutput(output: Output): void; signal: AbortSignal } | undefined;
  let runs = 0;
  warmGuests("interactive");

  async function alive(): Promise<Result<Interactive>> {
    const known = await guest;
    if (known?.ok && known.value.isAlive) return known;
    live.clear();
    guest = openInteractive({ onOutput, onRows });
    return guest;
  }

  function onOutput(event: InteractiveEvent): void {
    if (hear?.cell === event.cell) hear.onOutput(outputOf(event));
  }

  async function onRows({ expression, offset, limit }: RowsRequest) {
    const options = hear ? { signal: hear.signal } : {};
    const evaluated = await evaluate(context, expression, codeOf, options);
    if (!evaluated.ok) return evaluated;
    const { hash, columns } = evaluated.value.table;
    const window = await context.queries.window({ table: hash, offset, limit, ...options });
    return window.ok ? ok({ columns, ipc: window.value.ipc }) : window;
  }

  return {
    live,
    ready: alive,
    async run(cell, listener, signal) {
      const opened = await alive();
      if (!opened.ok) return opened;
      for (const name of cell.defines) live.delete(name);
      hear = { cell: cell.id, onOutput: listener, signal };
      // Each run has a source of its own, so that a function's place is told in the text it was made from.
      const done = await opened.value.run(
        { ...cell, sourceUrl: `cell/${cell.id}/${++runs}` },
        signal,
      );
      hear = undefined;
      if (!opened.value.isAlive) live.clear();
      return done;
    },
    async restore(values) {
      const opened = await alive();
      return opened.ok ? opened.value.restore(values) : opened;
    },
    decode: decodeStructured,
    sandbox: () => sandboxState(),
    async close() {
      const opened = await guest;
      if (opened?.ok) await opened.value.close();
    },
  };
}

function outputOf(event: InteractiveEvent): Output {
  switch (event.kind) {
    case "line":
      return { kind: "text", stream: event.stream, text: `${event.text}\n` };
    case "truncated":
      return { kind: "text", stream: "stdout", text: "", truncated: event.text };
    case "problem":
      return { kind: "problem", problem: event.problem };
  }
}
