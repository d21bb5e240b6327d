import type { Problem, Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";

/** A header as the topic carries it. A name may come more than once. */
export type Header = { key: string; value: Uint8Array };

/** One record of a topic. A `null` value is a tombstone: the identity in its key is deleted. */
export type SourceRecord = {
  /** Safe integer. Grows within a partition; gaps (compaction, transaction markers) are allowed. */
  offset: number;
  timestampMs: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly Header[];
};

/** Records of one partition, in offset order. */
export type Delivery = {
  topic: string;
  partition: number;
  records: readonly SourceRecord[];
  /** Where reading goes on once these are finished: beyond the last record and any gap behind it. */
  next: number;
};

/** A partition this worker now reads. */
export type Assignment = {
  topic: string;
  partition: number;
  /** Tells a topic made again under an old name from the old one. Offsets of different incarnations never compare. */
  incarnation: string;
  /** The oldest offset that can still be read. */
  first: number;
  /** Where to begin when nothing is committed; at `first` where it is not said. */
  start?: number;
  /** What the source itself remembers as committed; null where it keeps no such memory. */
  committed: number | null;
  /** The epoch named with the last commit, also where that was of a topic since made again; absent where the source keeps no such memory. */
  epoch?: number;
  /** How many partitions the topic has now; more than before opens a transition epoch. Absent: it is always one. */
  partitions?: number;
};

export type PartitionRange = { topic: string; partition: number; first: number; end: number };

/** What a poll brings. The kinds an adapter cannot meet it never sends. */
export type SourceEvent =
  | { kind: "records"; delivery: Delivery }
  /** Answered with `seek` before the next poll; without a seek, reading starts at `committed ?? start ?? first`. */
  | { kind: "assigned"; partitions: readonly Assignment[] }
  /** In-flight records of these are finished and committed, or abandoned, before the next poll; that poll gives them up. */
  | { kind: "revoked"; partitions: readonly { topic: string; partition: number }[] }
  | { kind: "idle" }
  /** Transient (broker away, leader election): the caller polls again after `afterMs`; nothing was lost. */
  | { kind: "retryAfter"; afterMs: number; problem: Problem }
  /** Needs a person (authorisation, a damaged or shortened log): the pipeline stops with this problem. */
  | { kind: "halt"; problem: Problem };

export type PollRequest = {
  maxRecords: number;
  maxBytes: number;
  /** How long to wait for a first record. 0 asks for what is there. */
  waitMs: number;
  signal?: AbortSignal;
};

/**
 * Where records come from.
 *
 * The caller promises: one `poll` at a time; each delivered record is finished or abandoned in order; `commit` names, per
 * partition, the offset after the highest *contiguous* finished record, only once that is durable in every sink, and never
 * goes backwards. `pause` is called when the caller's bounded buffers are full and `resume` when they drain.
 * The adapter promises: records of a partition come in offset order, at least once, from the assigned or sought offset;
 * after a crash they come again from what was last committed (or sought). A topic made again while it is read is revoked, then assigned as another
 * incarnation, and nothing of the new one is given before that.
 *
 * ```ts
 * const event = await source.poll({ maxRecords: 16_384, maxBytes: 8 << 20, waitMs: 250 });
 * if (event.kind === "assigned") for (const p of event.partitions) source.seek(p.topic, p.partition, offsetOf(p));
 * if (event.kind === "records") { await handle(event.delivery); await source.commit([event.delivery]); }
 * ```
 */
export type Source = {
  poll(request: PollRequest): Promise<SourceEvent>;
  /** Takes effect at the next poll. Only for assigned partitions. */
  seek(topic: string, partition: number, offset: number): void;
  /** Of one or more finished batches, one call at a time. A failure here is retried with the next commit: the pipeline's own state already holds the offset. */
  commit(
    offsets: readonly { topic: string; partition: number; next: number; epoch?: number }[],
  ): Promise<Problem | undefined>;
  pause(partitions: readonly { topic: string; partition: number }[]): void;
  resume(partitions: readonly { topic: string; partition: number }[]): void;
  /** About once a second, for lag. What ends in offsets without a record (a transaction that was called off) ends before these, once they are known. */
  ranges(): Promise<PartitionRange[]>;
  close(): Promise<void>;
};

/** How long somebody waits for servers that are away: up to `ms` for each answer, and not once `signal` is aborted. */
export type Patience = { ms?: number; signal?: AbortSignal };

/**
 * Reads a topic apart from the pipeline's own reading, for what looks back: batch runs, verify, repair, replay. Transient trouble is
 * waited out inside, for as long as the patience it was opened with lasts and `signal` is not aborted; what cannot be waited out is thrown as a
 * `ProblemError`.
 */
export type TopicReader = {
  /** Topics whose names match, in order. Absent where pipelines read no patterns. */
  topicsLike?(pattern: RegExp): Promise<string[]>;
  /** Undefined: there is no such topic. */
  incarnation(topic: string, signal?: AbortSignal): Promise<string | undefined>;
  ranges(topic: string): Promise<PartitionRange[]>;
  /** The first offset whose record is of `timestampMs` or later; the partition's end where there is none. */
  offsetAt(topic: string, partition: number, timestampMs: number): Promise<number>;
  /** Records `from`… before `to`, in offset order; less where the log begins later or ends before. */
  read(
    topic: string,
    partition: number,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): AsyncIterable<readonly SourceRecord[]>;
  close(): Promise<void>;
};

/** What a sink keeps: rows keyed by the input's identity and a part number, holding the output contract's columns. */
export type SinkContract = { key: readonly Column[]; columns: readonly Column[]; maxParts: number };

export const CLEAR = 0;
export const WRITE = 1;

/**
 * A batch of effects on keyed state, in columns. Operation `i` writes row `row[i]` of `rows` under key `keyRow[i]` of `keys`
 * and part `part[i]`, or clears that key and part (`kind[i]` is `CLEAR`, `row[i]` is −1).
 * There is at most one operation per (key, part): the newest of the batch.
 */
export type SinkBatch = {
  contract: SinkContract;
  /** The partitions its records come from… */
  places: readonly { topic: string; partition: number }[];
  /** …and which of them each operation's does. */
  place: Uint16Array;
  count: number;
  kind: Uint8Array;
  /** See version.ts. The higher version wins; an equal one is the same write, delivered again. */
  version: BigInt64Array;
  /** Offset of the record each operation comes from. */
  offset: Float64Array;
  part: Int32Array;
  keyRow: Int32Array;
  /** Arrow IPC stream of `contract.key`; never null in it. */
  keys: Uint8Array;
  row: Int32Array;
  /** Arrow IPC stream of `contract.columns`. */
  rows: Uint8Array;
  /** What of the headers of its record an operation carries on, for sinks that can: its place in a trace. */
  headers?: (operation: number) => readonly Header[];
};

/** What became of one operation. */
export type Outcome =
  /** Durable. `retracted`: a clear that took away a living row, where the sink can tell. */
  | { kind: "written"; retracted: boolean }
  /** The sink holds a newer version of the key: success, nothing to do. A sink that writes without reading answers `written` instead. */
  | { kind: "stale" }
  /** Transient (429, 502, 503, 504, timeout): the caller sends this operation again, alone or with others, after `afterMs` or later. */
  | { kind: "retryAfter"; afterMs: number; problem: Problem }
  /** This operation can never be written (a value the sink cannot hold): its record becomes a dead letter, the rest goes on. */
  | { kind: "reject"; reason: string }
  /** Nothing can be written until a person acts (401, 403, disk full): the pipeline stops with this problem. */
  | { kind: "halt"; problem: Problem };

export const WRITTEN: Outcome = { kind: "written", retracted: false };
export const RETRACTED: Outcome = { kind: "written", retracted: true };
export const STALE: Outcome = { kind: "stale" };

/** A row as the sink holds it, for verify. Values are mapped as docs/types.md maps them for JSON. */
export type StoredRow = {
  key: readonly unknown[];
  part: number;
  version: bigint;
  topic: string;
  partition: number;
  offset: number;
  /** null: a tombstone. */
  values: Record<string, unknown> | null;
  /** What the sink knows it by, where that is no identity's: `key` is empty then, no write or clear ever reaches it. */
  stray?: string;
};

/** One of the indices a sink has made, one after another, for contracts that break with each other. */
export type Generation = {
  generation: number;
  index: string;
  /** Living ones, as far as a search sees them. */
  rows: number;
  /** Whether people read it, and whether the contract asked with is written to it. */
  isRead: boolean;
  isWritten: boolean;
};

export type Generations = {
  /** Newest first. */
  list(contract: SinkContract): Promise<Result<Generation[]>>;
  /** What promoting this contract means for who reads, in sentences; empty where nothing changes for them. */
  foretell(contract: SinkContract): Promise<Result<string[]>>;
  /** Turns all readers to a generation, in one step. */
  read(generation: number): Promise<Result<void>>;
  /** Deletes one that is neither read nor what this contract is written to. */
  drop(generation: number, contract: SinkContract): Promise<Result<void>>;
};

/**
 * Where keyed state goes.
 *
 * The caller promises: `prepare` before the first write and whenever the contract changes (every epoch); no more writes at once than
 * `writesAtOnce`; operations it sends again carry the same version and the same content. Retries, backoff and budgets are wrapped
 * around the port (retry.ts), never inside it.
 * The adapter promises: outcomes in the order of the operations, `written` only when durable; a clear leaves a versioned
 * tombstone, so that an older write arriving late is `stale`; whatever order, batching or repetition operations come in,
 * the final state is the newest version of each (key, part). A throw is a bug and halts the pipeline.
 *
 * ```ts
 * const outcomes = await sink.write(batch);
 * const again = outcomes.flatMap((outcome, i) => (outcome.kind === "retryAfter" ? [i] : []));
 * ```
 */
export type Sink = {
  name: string;
  /** How many writes go well side by side; one where absent. */
  writesAtOnce?: number;
  /** What `prepare` would do, a statement or request each; empty where all is there. Asked before a promotion is applied, so that it can be shown. */
  plan(contract: SinkContract): Promise<Result<string[]>>;
  /**
   * Does what `plan` says: makes or extends what is missing; never drops. Sees by the way which columns other contracts have left. A problem halts the pipeline before anything is written. Who aborts `signal` does
   * not wait for a server: what it has half made by then, the next `prepare` completes.
   */
  prepare(contract: SinkContract, signal?: AbortSignal): Promise<Problem | undefined>;
  write(batch: SinkBatch, signal?: AbortSignal): Promise<Outcome[]>;
  /**
   * Called when every record of the topic has been written again under the contract that is prepared. Where people still read what was there before
   * (a breaking change made a new index), they are turned to what is written. Absent where rows are read where they are written.
   */
  turnReaders?(signal?: AbortSignal): Promise<Problem | undefined>;
  /** Absent where a sink has one place for all contracts. */
  generations?: Generations;
  /** That people read something else than what is written, in a sentence; undefined where they do not. About once a second, for status. */
  readersBehind?(): Promise<string | undefined>;
  /** Living rows. About once a second, for status; may be an estimate. */
  count(): Promise<number>;
  /** Every row, and every tombstone the sink can show, in any order; for verify. What the world does to it is thrown as a `ProblemError`. */
  scan(): AsyncIterable<StoredRow>;
  /** Removes what `scan` shows as strays. Absent where whatever is there lies under an identity. */
  removeStrays?(): Promise<Problem | undefined>;
  close(): Promise<void>;
};
