import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { openGuestProcess } from "./guest-process.ts";
import {
  interactiveMessage,
  type DisplayItem,
  type InteractiveMessage,
  type ValueSummary,
} from "./interactive-protocol.ts";
import type { TableExpression } from "./runtime/expressions.ts";

export type { DisplayItem, ValueSummary } from "./interactive-protocol.ts";
export { decodeStructured } from "./runtime/structured.ts";

/** What a guest tells while a cell runs, or after: each with the id of the cell that ran last. */
export type InteractiveEvent = { cell: string } & (
  | { kind: "line"; stream: "stdout" | "stderr"; text: string }
  /** No more lines of this cell will come. */
  | { kind: "truncated"; text: string }
  /** An error outside the cell's own run: a rejection nobody handled, a timer. */
  | { kind: "problem"; problem: Problem }
);

export type RowsRequest = {
  cell: string;
  expression: TableExpression;
  handle: string;
  offset: number;
  limit: number;
};

export type InteractiveOptions = {
  memoryMb?: number;
  onOutput(event: InteractiveEvent): void;
  /** Answers `await table.rows()` and `for await (const row of table)`: one Arrow IPC stream of at most `limit` rows. */
  onRows?(request: RowsRequest): Promise<Result<{ columns: Column[]; ipc: Uint8Array }>>;
};

export type Cell = {
  id: string;
  /** Body of an async function that returns what the cell defines, and `__last`; types blanked. */
  code: string;
  sourceUrl: string;
  /** Names of other cells it reads: those the guest holds are passed in. */
  uses: string[];
  defines: string[];
};

export type CellResult = {
  defined: Record<string, ValueSummary>;
  last?: ValueSummary;
  displays: DisplayItem[];
  /** It asked for the time: its values are not to be cached or promoted. */
  usedClock: boolean;
};

export type Interactive = {
  /** Runs cells in the order asked. A Problem's `at` is in the code's own lines and columns. Aborting ends the guest. */
  run(cell: Cell, signal?: AbortSignal): Promise<Result<CellResult>>;
  /** Puts plain values back, by name, as `ValueSummary.encoded` gave them. */
  restore(values: Record<string, unknown>): Promise<Result<void>>;
  /** Ends it at once; every value in it is gone. */
  kill(): void;
  close(): Promise<void>;
  readonly isAlive: boolean;
};

type Settled = Extract<InteractiveMessage, { type: "result" | "failed" | "restored" }>;

/** Starts the guest that runs a notebook's cells one after another and holds their values. */
// oxlint-disable-next-line require-await -- opening is asynchronous by contract
export async function openInteractive(options: InteractiveOptions): Promise<Result<Interactive>> {
  const guest = openGuestProcess("interactive", options.memoryMb);
  let waiting: { cell: string; resolve(result: Result<Settled>): void } | undefined;
  let ended: Problem | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  guest.listen({
    frame(header) {
      const parsed = interactiveMessage.safeParse(header);
      if (!parsed.success) guest.kill(unexpected("It said what the protocol does not have."));
      else hear(parsed.data);
    },
    ended(reason) {
      ended = reason;
      waiting?.resolve(fail(reason));
      waiting = undefined;
    },
  });
  guest.send({ type: "hello" });

  function hear(message: InteractiveMessage): void {
    switch (message.type) {
      case "line":
        options.onOutput(lineEvent(message));
        return;
      case "late":
        options.onOutput({
          cell: message.cell,
          kind: "problem",
          problem: cellProblem("late-error", message),
        });
        return;
      case "wantRows":
        void answerRows(message);
        return;
      default: {
        const asked = waiting;
        waiting = undefined;
        if (!asked || ("cell" in message && message.cell !== asked.cell)) {
          asked?.resolve(fail(unexpected("It answered what nobody asked.")));
          guest.kill(unexpected("It answered what nobody asked."));
        } else asked.resolve(ok(message));
      }
    }
  }

  async function answerRows(
    message: Extract<InteractiveMessage, { type: "wantRows" }>,
  ): Promise<void> {
    const { type: _, request, ...wanted } = message;
    const rows = (await options.onRows?.(wanted).catch(rowsThrew)) ?? rowsThrew(undefined);
    if (rows.ok)
      guest.send({ type: "rows", request, columns: rows.value.columns }, [rows.value.ipc]);
    else {
      const { message: text, hint } = rows.problem;
      guest.send({
        type: "rowsFailed",
        request,
        message: hint === undefined ? text : `${text} ${hint}`,
      });
    }
  }

  function ask(cell: string, header: object, signal?: AbortSignal): Promise<Result<Settled>> {
    const asked = tail.then(() => {
      if (ended) return fail(ended);
      if (signal?.aborted) return fail(interrupted);
      const { promise, resolve } = Promise.withResolvers<Result<Settled>>();
      const abort = (): void => guest.kill(interrupted);
      signal?.addEventListener("abort", abort, { once: true });
      waiting = {
        cell,
        resolve(result) {
          signal?.removeEventListener("abort", abort);
          resolve(result);
        },
      };
      guest.send(header);
      return promise;
    });
    tail = asked;
    return asked;
  }

  return ok({
    async run(cell, signal) {
      const answer = await ask(cell.id, { type: "run", ...cell }, signal);
      if (!answer.ok) return answer;
      const message = answer.value;
      if (message.type === "failed") return fail(cellProblem("cell-error", message));
      if (message.type !== "result") return fail(unexpected("It answered something else."));
      const { defined, last, displays, usedClock } = message;
      return ok({ defined, displays, usedClock, ...(last === undefined ? {} : { last }) });
    },
    async restore(values) {
      const answer = await ask("", { type: "restore", values });
      return answer.ok ? ok(undefined) : answer;
    },
    kill: () => guest.kill(interrupted),
    close: () => guest.close(),
    get isAlive() {
      return guest.isAlive;
    },
  });
}

function lineEvent({
  cell,
  stream = "stdout",
  text = "",
  truncated,
}: Extract<InteractiveMessage, { type: "line" }>): InteractiveEvent {
  if (truncated)
    return {
      cell,
      kind: "truncated",
      text: "This cell wrote more than 64 KiB; the rest is left out.",
    };
  return { cell, kind: "line", stream, text };
}

/** The place is the innermost one in the cell itself; an error elsewhere names the other cell. */
function cellProblem(
  code: string,
  {
    cell,
    message,
    places,
  }: { cell: string; message: string; places: { cell: string; line: number; column: number }[] },
): Problem {
  const place = places.find((one) => one.cell === cell) ?? places[0];
  return { code, message, ...(place ? { at: { ...place } } : { at: { cell } }) };
}

function rowsThrew(error: unknown): { ok: false; problem: Problem } {
  const message = error instanceof Error ? error.message : "This table's rows cannot be read here.";
  return fail({ code: "rows-unavailable", message });
}

const interrupted: Problem = {
  code: "interrupted",
  message: "Interrupted.",
  hint: "Run the cell again when you like.",
};

function unexpected(detail: string): Problem {
  return {
    code: "guest-garbage",
    message: `The guest broke its protocol and was ended. ${detail}`,
    hint: "Run the cell again; a fresh guest is started.",
  };
}
