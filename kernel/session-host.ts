import { join, relative } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { analyseCell } from "./analysis.ts";
import { openCellGuest, type CellGuest } from "./cell-guest.ts";
import { runCell, type CellOutcome, type CellRun } from "./cell-runner.ts";
import type { CheckDiff } from "./expectations.ts";
import type { CellId, NotebookDocument, Operation, Output, SessionEvent } from "./document.ts";
import { keyOf, type Evaluation } from "./evaluate.ts";
import type { Completion } from "./language-service.ts";
import { later } from "./later.ts";
import { makeLive, missingInput } from "./live-values.ts";
import { cellLabel, labelIndex } from "./locate.ts";
import { readText, watchFile, writeText } from "./notebook-file.ts";
import { notebookCompletions, notebookDiagnostics, notebookHover } from "./notebook-language.ts";
import { serialise, sourceOf } from "./notebook.ts";
import { apply, startSession } from "./session.ts";
import {
  cellOf,
  graphOf,
  inputKeys,
  type Effect,
  type Happening,
  type Session,
} from "./session-state.ts";
import { documentOf, variablesOf } from "./session-document.ts";
import { openPages } from "./session-pages.ts";
import { readSessionFile, writeSessionFile, type SessionValues } from "./session-file.ts";
import { transformCodes } from "./transform-codes.ts";

/** An open notebook. It outlives the pages that look at it. */
export type NotebookSession = {
  document(): NotebookDocument;
  /** Takes an operation in. Running goes on after it returns; `save` and `reload` are done when it does. */
  apply(operation: Operation): Promise<Problem | undefined>;
  subscribe(listener: (event: SessionEvent) => void): () => void;
  completions(cell: CellId, line: number, column: number): Promise<Completion[]>;
  hover(cell: CellId, line: number, column: number): Promise<string | undefined>;
  /** Settles when nothing runs and nothing waits to run. */
  whenIdle(): Promise<void>;
  /** Plain values by name: what a bundle may capture. */
  captured(): Record<string, unknown>;
  close(): Promise<void>;
};

export type SessionOptions = Evaluation & {
  /** `delays` is `notebooks/delays.ts`. */
  name: string;
  /** Judges a test cell's expectation of a difference: comparing versions is done a layer above. Without it they are not judged. */
  checkDiff?: CheckDiff;
  /** Another text in place of the file's; then nothing is watched, kept or checked for types. */
  text?: string;
};

const diagnosticsDelayMs = 250;
const keepDelayMs = 400;

/** Opens a notebook of the workspace, with the results it had when it was last open. */
export async function openSession(options: SessionOptions): Promise<Result<NotebookSession>> {
  const { workspace, name } = options;
  const fileName = join(workspace.paths.notebooks, `${name}.ts`);
  const path = relative(workspace.root, fileName);
  if (path.startsWith("..") || !/^[\w][\w ./-]*$/.test(name) || name.includes(".."))
    return fail({
      code: "bad-name",
      message: `"${name}" cannot be the name of a notebook.`,
      hint: "Use letters, digits, dashes and dots.",
    });
  if (options.text !== undefined)
    return ok(
      host(options, {
        fileName,
        path,
        session: startSession(name, path, options.text),
        values: {},
        isLasting: false,
      }),
    );
  const text = await readText(fileName);
  if (text === undefined)
    return fail({
      code: "no-notebook",
      message: `There is no notebook ${path}.`,
      hint: "Check the name, or make it: a .ts file in notebooks/.",
    });
  const kept = await readSessionFile(keptPath(options), name, path, text);
  return ok(host(options, { fileName, path, ...kept, isLasting: true }));
}

type Start = {
  fileName: string;
  path: string;
  session: Session;
  values: SessionValues;
  isLasting: boolean;
};

function host(options: SessionOptions, start: Start): NotebookSession {
  const { workspace } = options;
  const { fileName, isLasting } = start;
  let { session, values } = start;
  let lastDiagnostics: SessionEvent | undefined;
  let running: AbortController | undefined;
  let idle: PromiseWithResolvers<void> | undefined;
  let isClosed = false;
  let keeping: Promise<void> = Promise.resolve();
  const guest: CellGuest = openCellGuest({ context: options, codeOf });
  const codes = transformCodes(options, fileName);
  const pages = openPages({ session: () => session, document });
  const checking = later(diagnosticsDelayMs, () => void check());
  const keeper = later(keepDelayMs, keep);
  const watcher = isLasting ? watchFile(fileName, () => void readDisk(false)) : undefined;

  function codeOf(transform: string) {
    return codes.of(transform, {
      text: serialise(session.notebook),
      tables: queryColumns(),
      captured: capturedValues(),
      encoded: Object.assign({}, ...session.ids.map((id) => values[id] ?? {})),
    });
  }

  function take(happened: Operation | Happening): Promise<Problem | undefined> {
    const { session: next, effects } = apply(session, happened);
    session = next;
    const isStream = happened.type === "output";
    const done = Promise.all(effects.map((effect) => perform(effect, isStream)));
    if (isLasting && !isClosed && !isStream) keeper.ask();
    if (!session.running && session.queue.length === 0) {
      idle?.resolve();
      idle = undefined;
    }
    return done.then((problems) => problems.find((problem) => problem !== undefined));
  }

  async function perform(effect: Effect, isStream: boolean): Promise<Problem | undefined> {
    switch (effect.type) {
      case "run":
        void run(effect.cell);
        return undefined;
      case "interrupt":
        running?.abort();
        return undefined;
      case "write":
        return write(effect.text, effect.expected);
      case "readDisk":
        return readDisk(true);
      case "tell":
        if (isStream && effect.cells !== "all") pages.tellSoon(effect.cells);
        else pages.tell(effect.cells);
        if (!isStream) checking.ask();
        return undefined;
      case "problem":
        pages.emit({ type: "problem", problem: effect.problem });
        return effect.problem;
    }
  }

  function document(): NotebookDocument {
    return documentOf(session, guest.sandbox());
  }

  async function run(id: CellId): Promise<void> {
    const abort = new AbortController();
    running = abort;
    const startedAt = Date.now();
    const started = performance.now();
    void take({ type: "started", cell: id, at: startedAt });
    const cell = cellOf(session, id);
    const source = cell ? sourceOf(cell) : "";
    const analysis = analyseCell(source);
    const graph = graphOf(session);
    const inputs = inputKeys(session, id, graph);
    let outcome: CellOutcome;
    try {
      const problem =
        analysis.problems[0] ?? graph.problems.get(id)?.[0] ?? missingInput(session, id, inputs);
      outcome = problem
        ? failedWith({ ...problem, at: { ...problem.at, cell: id } })
        : await execution(id, source, inputs, abort.signal);
    } catch (error) {
      outcome = failedWith({
        code: "kernel",
        message: `The kernel failed: ${error instanceof Error ? error.message : String(error)}`,
        hint: "Run the cell again; if it happens again, report it.",
        at: { cell: id },
      });
    }
    running = undefined;
    const durationMs = performance.now() - started;
    if (isClosed) return;
    if (abort.signal.aborted) {
      const problem: Problem = {
        code: "interrupted",
        message: "Interrupted.",
        hint: "Run the cell again when you like; other cells kept their results.",
        at: { cell: id },
      };
      void take({ type: "interrupted", cell: id, problem, durationMs });
      return;
    }
    values = { ...values, [id]: storedValues(outcome) };
    const outputs = outcome.outputs.map(withCellIds);
    const { isOk, variables, fromCache } = outcome;
    const { fingerprint, types } = analysis;
    const typeKeys = isOk ? types.map((type) => [type, keyOf("type", fingerprint)]) : [];
    const record = {
      isOk,
      fingerprint,
      inputs,
      values: { ...outcome.values, ...Object.fromEntries(typeKeys) },
    };
    void take({
      type: "finished",
      cell: id,
      run: record,
      outputs,
      variables,
      durationMs: fromCache ? 0 : durationMs,
      fromCache,
    });
  }

  async function execution(
    id: CellId,
    source: string,
    inputs: Record<string, string>,
    signal: AbortSignal,
  ): Promise<CellOutcome> {
    const runOf = (cell: CellId, text: string, keys: Record<string, string>) =>
      cellRun(cell, text, keys, signal);
    const made = await makeLive({ guest, session, values, runOf }, inputs, new Set([id]));
    if (made) return failedWith(made);
    const outcome = await runCell({
      ...cellRun(id, source, inputs, signal),
      onOutput: (output) => void take({ type: "output", cell: id, output: withCellIds(output) }),
    });
    for (const [name, key] of Object.entries(outcome.values)) guest.live.set(name, key);
    return outcome;
  }

  function cellRun(
    id: CellId,
    source: string,
    inputs: Record<string, string>,
    signal: AbortSignal,
  ): Omit<CellRun, "onOutput"> {
    const label = cellLabel(session.ids.indexOf(id));
    const text = serialise(session.notebook);
    return {
      id,
      label,
      source,
      text,
      fileName,
      inputs,
      context: options,
      guest,
      codeOf,
      captured: capturedValues(),
      signal,
      ...(options.checkDiff ? { checkDiff: options.checkDiff } : {}),
    };
  }

  /** Columns of the queries that have run, by name. */
  function queryColumns(): Record<string, Column[]> {
    const columns: Record<string, Column[]> = {};
    for (const { name, kind, table } of variablesOf(session)) {
      const info = kind === "sql" && table ? options.store.tableInfo(table) : undefined;
      if (info) columns[name] = info.columns;
    }
    return columns;
  }

  function capturedValues(): Record<string, unknown> {
    const plain: Record<string, unknown> = {};
    for (const id of session.ids)
      for (const [name, encoded] of Object.entries(values[id] ?? {}))
        plain[name] = guest.decode(encoded);
    return plain;
  }

  /** Problems name cells as a person counts them; pages know them by id. */
  function withCellIds(output: Output): Output {
    if (output.kind !== "problem") return output;
    const index = labelIndex(output.problem.at?.cell);
    const id = index === undefined ? undefined : session.ids[index];
    return id === undefined
      ? output
      : { ...output, problem: { ...output.problem, at: { ...output.problem.at, cell: id } } };
  }

  async function write(text: string, expected: string): Promise<Problem | undefined> {
    const now = await readText(fileName);
    if (now !== undefined && now !== expected && now !== text && !session.conflict) {
      await take({ type: "disk", text: now });
      return session.conflict;
    }
    try {
      if (now !== text) await writeText(fileName, text);
    } catch (error) {
      return {
        code: "not-saved",
        message: `${start.path} could not be written: ${error instanceof Error ? error.message : String(error)}`,
        hint: "Your edits are kept here. Check the disk and the file's permissions, and save again.",
      };
    }
    await take({ type: "written", text });
    pages.emit({ type: "saved", path: start.path });
    return undefined;
  }

  async function readDisk(isAsked: boolean): Promise<Problem | undefined> {
    const text = await readText(fileName);
    if (isClosed) return undefined;
    if (text === undefined) {
      const problem: Problem = {
        code: "notebook-gone",
        message: `${start.path} is no longer there.`,
        hint: "Save to write it again.",
      };
      if (isAsked) pages.emit({ type: "problem", problem });
      return isAsked ? problem : undefined;
    }
    // Asked for, the file wins over edits.
    if (isAsked && text !== serialise(session.notebook))
      session = { ...session, savedText: serialise(session.notebook) };
    return take({ type: "disk", text });
  }

  async function check(): Promise<void> {
    if (!isLasting || isClosed) return;
    // A language service that failed leaves the last diagnostics standing; the next edit asks again.
    const found = notebookDiagnostics(workspace, fileName, session, queryColumns());
    const diagnostics = await found.catch(() => undefined);
    if (isClosed || !diagnostics) return;
    lastDiagnostics = { type: "diagnostics", diagnostics };
    pages.emit(lastDiagnostics);
  }

  function keep(): void {
    const now = session;
    const nowValues = values;
    keeping = keeping
      .then(() => writeSessionFile(keptPath(options), now, nowValues))
      .catch(() => undefined);
  }

  checking.ask();
  return {
    document,
    apply: take,
    subscribe(listener) {
      const stop = pages.subscribe(listener);
      if (lastDiagnostics) listener(lastDiagnostics);
      return stop;
    },
    completions: (cell, line, column) =>
      notebookCompletions(workspace, fileName, session, queryColumns(), { cell, line, column }),
    hover: (cell, line, column) =>
      notebookHover(workspace, fileName, session, queryColumns(), { cell, line, column }),
    whenIdle() {
      if (!session.running && session.queue.length === 0) return Promise.resolve();
      idle ??= Promise.withResolvers();
      return idle.promise;
    },
    captured: capturedValues,
    async close() {
      isClosed = true;
      watcher?.close();
      checking.cancel();
      keeper.cancel();
      pages.close();
      running?.abort();
      if (isLasting) keep();
      await keeping;
      await guest.close();
    },
  };
}

function storedValues(outcome: CellOutcome): Record<string, unknown> {
  const plain = Object.entries(outcome.summaries).flatMap(([name, summary]) =>
    summary.kind === "plain" ? [[name, summary.encoded] as const] : [],
  );
  return Object.fromEntries(plain);
}

function failedWith(problem: Problem): CellOutcome {
  return {
    isOk: false,
    outputs: [{ kind: "problem", problem }],
    variables: [],
    values: {},
    summaries: {},
    fromCache: false,
  };
}

function keptPath({ workspace, name }: SessionOptions): string {
  return join(workspace.paths.sessions, `${name}.json`);
}
