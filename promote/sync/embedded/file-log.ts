import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { encodeFrame, FRAME_BYTES, frameAt, type NewRecord } from "./frames.ts";
import { ensureTopic, listSegments, segmentPath } from "./log-files.ts";

export type FileLogOptions = {
  /** `always`: an append resolves once it would survive a power cut. `never`: once it would survive the process. */
  fsync: "always" | "never";
  segmentBytes?: number;
  newId?: () => string;
};

/** The one process that appends to a topic. */
export type FileLogWriter = {
  incarnation: string;
  /** The offset the next record gets. */
  end(): number;
  /** All or none of a frame (about 1 MiB) is ever readable. Appends take effect in the order they were called. */
  append(records: readonly NewRecord[]): Promise<Result<{ first: number; next: number }>>;
  close(): Promise<void>;
};

const SEGMENT_BYTES = 16 << 20;

/**
 * Opens a topic for appending. A tail torn by a crash is cut off and kept beside the segment (`….torn`); it was never acknowledged.
 * Fails with `log-in-use` while another writer lives: the lock is an SQLite file lock, which the system drops with its process.
 */
export async function openFileLogWriter(
  directory: string,
  options: FileLogOptions,
): Promise<Result<FileLogWriter>> {
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
  const incarnation = ensureTopic(directory, options.newId);
  const lock = takeLock(directory);
  if (!lock.ok) return lock;
  let { end, size, path } = repairTail(directory);
  let file = await open(path, "a");
  let queue: Promise<unknown> = Promise.resolve();
  let failure: Problem | undefined;

  async function roll(): Promise<void> {
    await file.sync();
    await file.close();
    path = segmentPath(directory, end);
    file = await open(path, "a");
    if (options.fsync === "always") syncDirectory(directory);
    size = 0;
  }

  async function write(
    records: readonly NewRecord[],
  ): Promise<Result<{ first: number; next: number }>> {
    if (failure !== undefined) return fail(failure);
    const first = end;
    try {
      for (const group of frames(records)) {
        if (size >= segmentBytes) await roll();
        const frame = encodeFrame(end, group);
        await writeFully(file, frame);
        size += frame.length;
        end += group.length;
      }
      if (options.fsync === "always") await file.datasync();
      return ok({ first, next: end });
    } catch (cause) {
      // What stands after `size` is a torn frame: nothing may be appended behind it.
      failure = await file.truncate(size).then(
        () => undefined,
        () => appendProblem(directory, cause),
      );
      return fail(appendProblem(directory, cause));
    }
  }

  return ok({
    incarnation,
    end: () => end,
    append(records) {
      const done = queue.then(() => write(records));
      queue = done;
      return done;
    },
    async close() {
      await queue;
      await file.sync();
      await file.close();
      lock.value.close();
    },
  });
}

function* frames(records: readonly NewRecord[]): Generator<readonly NewRecord[]> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    const record = records[i];
    bytes += (record?.key?.length ?? 0) + (record?.value?.length ?? 0) + 20;
    if (bytes < FRAME_BYTES) continue;
    yield records.slice(from, i + 1);
    from = i + 1;
    bytes = 0;
  }
  if (from < records.length) yield records.slice(from);
}

async function writeFully(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

function takeLock(directory: string): Result<{ close(): void }> {
  const database = new DatabaseSync(join(directory, "writer.lock"));
  try {
    database.exec("pragma journal_mode = memory; begin exclusive");
    return ok(database);
  } catch {
    database.close();
    return fail({
      code: "log-in-use",
      message: `Another process is appending to the topic in ${directory}.`,
      hint: "Stop it first: a topic has one writer.",
    });
  }
}

/** Finds the end of the last whole frame and cuts off what follows it. */
function repairTail(directory: string): { end: number; size: number; path: string } {
  const last = listSegments(directory).at(-1);
  if (last === undefined) return { end: 0, size: 0, path: segmentPath(directory, 0) };
  const bytes = readFileSync(last.path);
  let at = 0;
  let end = last.baseOffset;
  for (;;) {
    const frame = frameAt(bytes, at, true);
    if (frame.kind !== "frame" || frame.baseOffset !== end) break;
    at = frame.end;
    end += frame.count;
  }
  if (at < bytes.length) {
    writeFileSync(`${last.path}.${at}.torn`, bytes.subarray(at), { flush: true });
    cut(last.path, at);
  }
  return { end, size: at, path: last.path };
}

function cut(path: string, size: number): void {
  const file = openSync(path, "r+");
  try {
    ftruncateSync(file, size);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncDirectory(dirname(path));
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function appendProblem(directory: string, cause: unknown): Problem {
  return {
    code: "log-append-failed",
    message: `Could not append to the topic in ${directory}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    hint: "Free space on the disk or make it writable, then start again; what was acknowledged is kept.",
  };
}
