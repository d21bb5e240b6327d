import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { denoBinary, denoFlags } from "./deno-binary.ts";
import { openGuestProcess } from "./guest-process.ts";
import { sliceMessage, type BundleDescription, type SliceMessage } from "./slice-protocol.ts";

export type { TableExpression } from "./runtime/expressions.ts";
export type { BundleDescription, DiffExpectation } from "./slice-protocol.ts";

export type SliceSpec = {
  bundle: string;
  entry:
    | { kind: "transform"; name: string }
    /** `withParts`: each batch is answered with its records' parts (metric-parts.ts). */
    | { kind: "metrics"; indexes: number[]; withParts?: boolean };
  /** The contract of the rows that come in. */
  input: Column[];
  /** The contract of the rows that go out; a transform needs it. */
  output?: Column[];
  /** Arrow IPC of each lookup's table, whole. */
  lookups?: Record<string, { by: string[]; columns: Column[]; batches: Uint8Array[] }>;
  limits?: { memoryMb?: number; openTimeoutMs?: number; batchTimeoutMs?: number };
};

/** `line` and `column` are the bundle's; its source map takes them to the notebook. */
export type RecordError = { row: number; message: string; line?: number; column?: number };

/** read = distinct input rows written + filtered + errors. */
export type SliceBatch = {
  /** Arrow IPC of the rows written, by the output contract; the records' parts, where a metric was asked for them. */
  rows: Uint8Array;
  /** Per row written: which row of the batch it came from, and which part of that it is. */
  input: Int32Array;
  part: Int32Array;
  read: number;
  filtered: number;
  errors: RecordError[];
};

/** `failed` rows threw; `first` is the first of them. */
export type MetricValue = {
  value: number | null;
  rows: number;
  failed: number;
  first?: { message: string; line?: number; column?: number };
};

export type Slice = {
  /** Batches may be sent ahead: they are answered in order. A Problem is final; open a new slice. `timeoutMs`: for this one. */
  run(batch: Uint8Array, signal?: AbortSignal, timeoutMs?: number): Promise<Result<SliceBatch>>;
  /** The metrics over all batches so far, in the order asked for. Metrics entries only. */
  finish(): Promise<Result<MetricValue[]>>;
  /** A free metric's numbers over resampled rows, as many as fit the budget. `units`: each row's unit, of all batches so far. */
  resample(
    request: { metric: number; seed: number[]; count: number; resamples: number; budgetMs: number },
    units: Int32Array,
    signal?: AbortSignal,
  ): Promise<Result<(number | null)[]>>;
  close(): Promise<void>;
  /** The input's columns that are looked at, in its order: a batch needs to hold no others. */
  readonly columns: string[];
  /** `busyMs` is what the guest says it spent on decoding, calling and encoding. */
  readonly stats: { batches: number; rows: number; busyMs: number; droppedLines: number };
};

const defaultTimeoutMs = 30_000;
/** A bundle loads in milliseconds; lookups of a million rows take seconds, more where others want the processors, too. */
const defaultOpenTimeoutMs = 120_000;

/** How long an answer may take, and what is asked for. */
type Limit = { of: "opening" | "batch"; ms: number };

/** What runs a bundle beside its text: part of what a release states. */
export function guestRuntime(): { deno: string; flags: string[] } {
  return { deno: denoBinary().version, flags: [...denoFlags] };
}

type Answer = { message: Exclude<SliceMessage, { type: "failed" }>; payload: Uint8Array };

/** Starts a fresh guest that runs exactly one bundle. A guest that hangs, dies or sends garbage answers with a Problem. */
export async function openSlice(spec: SliceSpec, signal?: AbortSignal): Promise<Result<Slice>> {
  if (spec.entry.kind === "transform" && spec.output === undefined) {
    throw new TypeError("A transform's slice needs its output contract.");
  }
  const opening: Limit = { of: "opening", ms: spec.limits?.openTimeoutMs ?? defaultOpenTimeoutMs };
  const batchLimit: Limit = { of: "batch", ms: spec.limits?.batchTimeoutMs ?? defaultTimeoutMs };
  const conversation = converse(spec.limits?.memoryMb);
  const bundle = Buffer.from(spec.bundle);
  const lookups = Object.entries(spec.lookups ?? {});
  const opened = await conversation.ask(
    {
      type: "open",
      bundleBytes: bundle.byteLength,
      entry: spec.entry.kind === "metrics" ? { withParts: false, ...spec.entry } : spec.entry,
      input: spec.input,
      output: spec.output ?? [],
      lookups: Object.fromEntries(
        lookups.map(([name, { by, columns, batches }]) => [
          name,
          { by, columns, batchBytes: batches.map((batch) => batch.byteLength) },
        ]),
      ),
    },
    [bundle, ...lookups.flatMap(([, lookup]) => lookup.batches)],
    opening,
    signal,
  );
  if (!opened.ok) {
    await conversation.close();
    return opened;
  }
  const columns = columnsOf(opened.value, spec.input);
  if (!columns) return fail(conversation.refuse("It reads columns that are not there."));
  const stats = { batches: 0, rows: 0, busyMs: 0, droppedLines: 0 };
  return ok({
    async run(batch, signal, timeoutMs) {
      const limit: Limit = timeoutMs === undefined ? batchLimit : { of: "batch", ms: timeoutMs };
      const answer = await conversation.ask({ type: "run" }, [batch], limit, signal);
      if (!answer.ok) return answer;
      const taken = batchOf(answer.value, spec.entry.kind === "metrics");
      if (!taken) return fail(conversation.refuse("Its answer does not add up."));
      const { message } = answer.value;
      stats.batches += 1;
      stats.rows += taken.read;
      if (message.type === "batch") {
        stats.busyMs += message.elapsedMs;
        stats.droppedLines = message.droppedLines;
      }
      return ok(taken);
    },
    async finish() {
      const answer = await conversation.ask({ type: "finish" }, [], batchLimit);
      if (!answer.ok) return answer;
      const { message } = answer.value;
      const asked = spec.entry.kind === "metrics" ? spec.entry.indexes.length : 0;
      if (message.type !== "finished" || message.values.length !== asked)
        return fail(conversation.refuse("It answered something else."));
      return ok(message.values as MetricValue[]);
    },
    async resample(request, units, signal) {
      const bytes = new Uint8Array(units.buffer, units.byteOffset, units.byteLength);
      const answer = await conversation.ask(
        { type: "resample", ...request },
        [bytes],
        batchLimit,
        signal,
      );
      if (!answer.ok) return answer;
      const { message } = answer.value;
      if (message.type !== "resampled" || message.values.length > request.resamples)
        return fail(conversation.refuse("It answered something else."));
      return ok(message.values);
    },
    close: conversation.close,
    columns,
    stats,
  });
}

/** What a bundle holds: its transforms, their inputs and lookups, and its metrics. Runs none of their functions. */
export async function describeBundle(bundle: string): Promise<Result<BundleDescription>> {
  const conversation = converse(undefined);
  const bytes = Buffer.from(bundle);
  const opened = await conversation.ask(
    {
      type: "open",
      bundleBytes: bytes.byteLength,
      entry: { kind: "describe" },
      input: [],
      output: [],
      lookups: {},
    },
    [bytes],
    { of: "opening", ms: defaultTimeoutMs },
  );
  void conversation.close();
  if (!opened.ok) return opened;
  const { message } = opened.value;
  if (message.type !== "opened" || !message.description)
    return fail(conversation.refuse("It described nothing."));
  return ok(message.description);
}

function converse(memoryMb: number | undefined) {
  const guest = openGuestProcess("slice", memoryMb);
  const waiting: { limit: Limit; resolve(result: Result<Answer>): void }[] = [];
  let ended: Problem | undefined;
  let watchdog: NodeJS.Timeout | undefined;

  function watch(): void {
    clearTimeout(watchdog);
    const [next] = waiting;
    if (next === undefined) return;
    watchdog = setTimeout(() => guest.kill(hung(next.limit)), next.limit.ms);
  }

  guest.listen({
    frame(header, payload) {
      const parsed = sliceMessage.safeParse(header);
      const next = waiting.shift();
      if (!parsed.success || !next) {
        if (next) waiting.unshift(next);
        guest.kill(unexpected("It sent what nobody asked for."));
        return;
      }
      watch();
      const message = parsed.data;
      if (message.type !== "failed") {
        next.resolve(ok({ message, payload }));
        return;
      }
      const { line, column } = message;
      const at = {
        ...(line === undefined ? {} : { line }),
        ...(column === undefined ? {} : { column }),
      };
      const problem: Problem = {
        code: "bundle-failed",
        message: message.message,
        hint: "Correct it in the notebook, then run again.",
        at,
      };
      ended = problem;
      next.resolve(fail(problem));
    },
    ended(reason) {
      ended ??= reason;
      clearTimeout(watchdog);
      for (const asked of waiting.splice(0)) asked.resolve(fail(ended));
    },
  });

  return {
    ask(
      header: object,
      payloads: readonly Uint8Array[],
      limit: Limit,
      signal?: AbortSignal,
    ): Promise<Result<Answer>> {
      if (ended) return Promise.resolve(fail(ended));
      if (signal?.aborted) return Promise.resolve(fail(interrupted));
      const { promise, resolve } = Promise.withResolvers<Result<Answer>>();
      const abort = (): void => guest.kill(interrupted);
      signal?.addEventListener("abort", abort, { once: true });
      waiting.push({
        limit,
        resolve(result) {
          signal?.removeEventListener("abort", abort);
          resolve(result);
        },
      });
      if (waiting.length === 1) watch();
      guest.send(header, payloads);
      return promise;
    },
    refuse(detail: string): Problem {
      const problem = unexpected(detail);
      guest.kill(problem);
      return problem;
    },
    close: () => guest.close(),
  };
}

function columnsOf({ message }: Answer, input: Column[]): string[] | undefined {
  const names = input.map((column) => column.name);
  if (message.type !== "opened" || message.columns === undefined) return names;
  const said = new Set(message.columns);
  const used = names.filter((name) => said.has(name));
  return used.length === said.size ? used : undefined;
}

/** Checks that the guest's counts and lengths fit each other: no row may vanish or appear on its word alone. */
function batchOf({ message, payload }: Answer, isMetric: boolean): SliceBatch | undefined {
  if (message.type !== "batch") return undefined;
  const { written, read, filtered, errors } = message;
  const lineageBytes = written * 4;
  if (payload.byteLength < lineageBytes * 2) return undefined;
  const input = new Int32Array(payload.buffer, payload.byteOffset, written);
  const part = new Int32Array(payload.buffer, payload.byteOffset + lineageBytes, written);
  const distinct = distinctRows(input, part, read);
  const unwritten = filtered + errors.length;
  // A metric writes nothing: its rows are counted into it.
  if (distinct === undefined || (isMetric ? unwritten > read : distinct + unwritten !== read))
    return undefined;
  return {
    // The payload begins its buffer, and two Int32 a row keep what follows aligned.
    rows: payload.subarray(lineageBytes * 2),
    input,
    part,
    read,
    filtered,
    errors: errors as RecordError[],
  };
}

/** Input rows must come in order, and so must the parts of each, none twice; undefined when they do not. */
function distinctRows(input: Int32Array, part: Int32Array, read: number): number | undefined {
  let last = -1;
  let lastPart = -1;
  let distinct = 0;
  for (let i = 0; i < input.length; i += 1) {
    const row = input[i] ?? -1;
    const own = part[i] ?? -1;
    if (row < last || row >= read || own < 0 || (row === last && own <= lastPart)) return undefined;
    if (row > last) distinct += 1;
    last = row;
    lastPart = own;
  }
  return distinct;
}

const interrupted: Problem = {
  code: "interrupted",
  message: "Interrupted.",
  hint: "Run again when you like.",
};

function hung({ of, ms }: Limit): Problem {
  const isBatch = of === "batch";
  const what = isBatch ? "A batch" : "Loading the bundle and its lookups";
  return {
    code: "guest-hung",
    message: `${what} took longer than ${ms / 1000} s, and its guest was ended.`,
    hint: isBatch
      ? "Look for a loop that does not end, or for work that grows with each record."
      : "Look for a loop outside of the functions, or make the lookups smaller.",
  };
}

function unexpected(detail: string): Problem {
  return {
    code: "guest-garbage",
    message: `The guest broke its protocol and was ended. ${detail}`,
    hint: "Nothing of this batch was kept. Run again.",
  };
}
