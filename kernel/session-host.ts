import { mkdirSync, watch, type FSWatcher } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { analyseCell } from "./analysis.ts";
import { openCellGuest, type CellGuest } from "./cell-guest.ts";
import { runCell, execute, type CellOutcome, type CellRun } from "./cell-runner.ts";
import type { CellId, NotebookDocument, Operation, Output, SessionEvent } from "./document.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Completion } from "./language-service.ts";
import { cellLabel, labelIndex } from "./locate.ts";
import { notebookCompletions, notebookDiagnostics, notebookHover } from "./notebook-language.ts";
import { serialise, sourceOf } from "./notebook.ts";
import {
  apply,
  cellOf,
  graphOf,
  inputKeys,
  startSession,
  type Effect,
  type Happening,
  type Session,
} from "./session.ts";
import { cellStates, documentOf, variablesOf } from "./session-document.ts";
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
  /** Another text in place of the file's; then nothing is watched, kept or checked for types. */
  text?: string;
};

const diagnosticsDelayMs = 250;
const keepDelayMs = 400;
/** Console lines come in bursts; pages are told at this pace. */
const streamDelayMs = 30;

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
  const opened = host(options, { fileName, path, ...kept, isLasting: true });
  return ok(opened);
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
  const listeners = new Set<(event: SessionEvent) => void>();
  let { session, values } = start;
  let lastDiagnostics: SessionEvent | undefined;
  let running: AbortController | undefined;
  let idle: PromiseWithResolvers<void> | undefined;
  let isClosed = false;
  let keeping: Promise<void> = Promise.resolve();
  const guest: CellGuest = openCellGuest({ context: options, codeOf });
  const codes = transformCodes(options, fileName);
  const streamed = new Set<CellId>();
  const timers: {
    keep?: NodeJS.Timeout | undefined;
    check?: NodeJS.Timeout | undefined;
    stream?: NodeJS.Timeout | undefined;
  } = {};
  const watcher = isLasting ? watchFile(fileName, () => void readDisk(false)) : undefined;

  function codeOf(transform: string) {
    return codes.of(transform, {
      text: serialise(session.notebook),
      tables: queryColumns(),
      captured: capturedValues(),
    });
  }

  function take(happened: Operation | Happening): Promise<Problem | undefined> {
    const { session: next, effects } = apply(session, happened);
    session = next;
    const isStream = happened.type === "output";
    const done = Promise.all(effects.map((effect) => perform(effect, isStream)));
    if (isLasting && !isStream) keepLater();
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
        if (isStream && effect.cells !== "all") tellSoon(effect.cells);
        else tell(effect.cells);
        if (!isStream) checkLater();
        return undefined;
      case "problem":
        emit({ type: "problem", problem: effect.problem });
        return effect.problem;
    }
  }

  function emit(event: SessionEvent): void {
    for (const listener of listeners) listener(event);
  }

  function tell(cells: CellId[] | "all"): void {
    if (listeners.size === 0) return;
    if (cells === "all" || cells.length > 8) {
      streamed.clear();
      emit({ type: "document", document: document() });
      return;
    }
    const variables = variablesOf(session);
    const isDirty = serialise(session.notebook) !== session.savedText;
    for (const cell of cellStates(session, [...new Set([...streamed, ...cells])])) {
      emit({ type: "cell", cell, variables, isDirty, running: session.running ?? null });
    }
    streamed.clear();
  }

  function tellSoon(cells: CellId[]): void {
    for (const cell of cells) streamed.add(cell);
    timers.stream ??= setTimeout(() => {
      timers.stream = undefined;
      if (!isClosed) tell([...streamed]);
    }, streamDelayMs);
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
        analysis.problems[0] ?? graph.problems.get(id)?.[0] ?? missingInput(id, inputs);
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
    const record = { isOk, fingerprint: analysis.fingerprint, inputs, values: outcome.values };
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
    const made = await makeLive(inputs, signal, new Set([id]));
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
    };
  }

  /** Sees that the guest holds what a cell uses: stored values are put back, recipes executed again with what they need. */
  async function makeLive(
    inputs: Record<string, string>,
    signal: AbortSignal,
    seen: Set<CellId>,
  ): Promise<Problem | undefined> {
    const graph = graphOf(session);
    const stored: Record<string, unknown> = {};
    for (const [name, key] of Object.entries(inputs)) {
      if (guest.live.get(name) === key) continue;
      const definer = graph.definers.get(name);
      if (definer === undefined || analysisOf(definer)?.types.includes(name)) continue;
      const kept = values[definer]?.[name];
      if (kept !== undefined) {
        stored[name] = kept;
        guest.live.set(name, key);
        continue;
      }
      if (seen.has(definer)) continue;
      seen.add(definer);
      const problem = await executeAgain(definer, signal, seen);
      if (problem) return problem;
    }
    if (Object.keys(stored).length === 0) return undefined;
    const restored = await guest.restore(stored);
    return restored.ok ? undefined : restored.problem;
  }

  async function executeAgain(
    id: CellId,
    signal: AbortSignal,
    seen: Set<CellId>,
  ): Promise<Problem | undefined> {
    const cell = cellOf(session, id);
    if (!cell) return undefined;
    const inputs = inputKeys(session, id, graphOf(session));
    const problem = await makeLive(inputs, signal, seen);
    if (problem) return problem;
    const source = sourceOf(cell);
    const done = await execute(
      cellRun(id, source, inputs, signal),
      analyseCell(source),
      () => undefined,
    );
    if (!done.ok) return done.problem;
    for (const [name, key] of Object.entries(session.records[id]?.run?.values ?? {}))
      guest.live.set(name, key);
    return undefined;
  }

  function analysisOf(id: CellId) {
    const cell = cellOf(session, id);
    return cell && analyseCell(sourceOf(cell));
  }

  function missingInput(id: CellId, inputs: Record<string, string>): Problem | undefined {
    const { definers } = graphOf(session);
    for (const name of Object.keys(inputs)) {
      const definer = definers.get(name) ?? "";
      if (session.records[definer]?.run?.isOk || analysisOf(definer)?.types.includes(name))
        continue;
      const label = cellLabel(session.ids.indexOf(definer));
      return {
        code: "needs-failed",
        message: `\`${name}\` is not there: ${label}, which defines it, failed.`,
        hint: `Correct ${label} and run again.`,
        at: { cell: id },
      };
    }
    return undefined;
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
      if (now !== text) {
        await writeFile(`${fileName}.saving`, text);
        await rename(`${fileName}.saving`, fileName);
      }
    } catch (error) {
      return {
        code: "not-saved",
        message: `${start.path} could not be written: ${error instanceof Error ? error.message : String(error)}`,
        hint: "Your edits are kept here. Check the disk and the file's permissions, and save again.",
      };
    }
    await take({ type: "written", text });
    emit({ type: "saved", path: start.path });
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
      if (isAsked) emit({ type: "problem", problem });
      return isAsked ? problem : undefined;
    }
    // Asked for, the file wins over edits.
    if (isAsked && text !== serialise(session.notebook))
      session = { ...session, savedText: serialise(session.notebook) };
    return take({ type: "disk", text });
  }

  function checkLater(): void {
    if (!isLasting || isClosed || timers.check) return;
    timers.check = setTimeout(() => {
      timers.check = undefined;
      const checked = session;
      void notebookDiagnostics(workspace, fileName, checked, queryColumns()).then(
        (diagnostics) => {
          if (isClosed) return;
          lastDiagnostics = { type: "diagnostics", diagnostics };
          emit(lastDiagnostics);
        },
        () => undefined,
      );
    }, diagnosticsDelayMs);
    timers.check.unref();
  }

  function keepLater(): void {
    if (isClosed) return;
    timers.keep ??= setTimeout(() => {
      timers.keep = undefined;
      keep();
    }, keepDelayMs);
    timers.keep.unref();
  }

  function keep(): void {
    const now = session;
    const nowValues = values;
    keeping = keeping
      .then(() => writeSessionFile(keptPath(options), now, nowValues))
      .catch(() => undefined);
  }

  checkLater();
  return {
    document,
    apply: take,
    subscribe(listener) {
      listeners.add(listener);
      listener({ type: "document", document: document() });
      if (lastDiagnostics) listener(lastDiagnostics);
      return () => listeners.delete(listener);
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
      for (const timer of Object.values(timers)) clearTimeout(timer);
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

/** The folder is watched, not the file: editors replace files. */
function watchFile(fileName: string, onChange: () => void): FSWatcher {
  const folder = dirname(fileName);
  mkdirSync(folder, { recursive: true });
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(folder, { persistent: false }, (_, changed) => {
    if (changed !== null && changed !== basename(fileName)) return;
    clearTimeout(timer);
    timer = setTimeout(onChange, 60);
    timer.unref();
  });
  watcher.on("error", () => watcher.close());
  return watcher;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
