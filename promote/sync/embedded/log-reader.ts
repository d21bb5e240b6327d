import { open, type FileHandle } from "node:fs/promises";
import type { Problem } from "#snapshots/problem.ts";
import type { SourceRecord } from "../ports.ts";
import { FRAME_HEAD, frameAt, recordsOf } from "./frames.ts";
import { listSegments, segmentFor, type Segment } from "./log-files.ts";

/** Reads a topic while another process appends to it. Any number of readers, one position each. */
export type FileLogReader = {
  /** The next records, or none when the end is reached. Keys and values stay valid; do not write into them. */
  read(
    maxRecords: number,
    maxBytes: number,
  ): Promise<{ records: SourceRecord[]; problem?: Problem }>;
  /** The offset of the next record `read` gives. */
  position(): number;
  seek(offset: number): void;
  range(): Promise<{ first: number; end: number }>;
  close(): Promise<void>;
};

const CHUNK = 1 << 20;

export function openFileLogReader(directory: string, from: number): FileLogReader {
  let wanted = from;
  let file: FileHandle | undefined;
  let segment: Segment | undefined;
  /** File position and bytes of the chunk at hand; `at` is the next frame in it. */
  let position = 0;
  let chunk = Buffer.alloc(0);
  let at = 0;
  let pending: SourceRecord[] = [];
  let pendingFrom = 0;
  let doubted = -1;
  const tail = { path: "", position: 0, end: 0 };
  /** Askers take turns: two at once would walk over each other's place. */
  let turn: Promise<unknown> = Promise.resolve();

  /** Forgets bytes that may yet change: a torn tail is cut and written over by the next writer. */
  function lookAgain(): false {
    position -= chunk.length - at;
    chunk = Buffer.alloc(0);
    at = 0;
    return false;
  }

  async function enter(next: Segment): Promise<void> {
    await file?.close();
    file = undefined;
    segment = next;
    position = 0;
    chunk = Buffer.alloc(0);
    at = 0;
    file = await openIfThere(next.path);
  }

  /** Brings more bytes behind `at`; false at the end of the file. */
  async function more(handle: FileHandle, needed: number): Promise<boolean> {
    const rest = chunk.subarray(at);
    const available = (await handle.stat()).size - position;
    if (available <= 0) return false;
    const grown = Buffer.allocUnsafeSlow(
      rest.length + Math.min(available, Math.max(CHUNK, needed - rest.length)),
    );
    grown.set(rest);
    const { bytesRead } = await handle.read(
      grown,
      rest.length,
      grown.length - rest.length,
      position,
    );
    if (bytesRead === 0) return false;
    position += bytesRead;
    chunk = grown.subarray(0, rest.length + bytesRead);
    at = 0;
    return true;
  }

  /** Fills `pending` from the next frame that holds a wanted record; false at the end of the log. */
  async function advance(): Promise<boolean | Problem> {
    if (file === undefined) {
      const found = segmentFor(listSegments(directory), wanted);
      if (found === undefined) return false;
      if (wanted < found.baseOffset) wanted = found.baseOffset;
      await enter(found);
    }
    while (file !== undefined && segment !== undefined) {
      const head = frameAt(chunk, at, false);
      if (head.kind === "partial") {
        if (await more(file, head.needed)) continue;
        const next = nextSegment(segment);
        if (next === undefined) return lookAgain();
        // It may have grown before the next one was begun; since then it does not.
        if (!(await more(file, head.needed))) await enter(next);
        continue;
      }
      if (head.kind === "frame" && head.baseOffset + head.count <= wanted) {
        at = head.end;
        continue;
      }
      if (head.kind === "damaged" || frameAt(chunk, at, true).kind === "damaged") {
        const place = position - chunk.length + at;
        const isTail =
          nextSegment(segment) === undefined &&
          (head.kind === "damaged" || head.end === chunk.length);
        lookAgain();
        // Bad bytes at the very end are a write in progress, or a torn tail that its writer will cut: wait.
        if (isTail) return false;
        // Elsewhere they are damage, unless the tail was cut and written anew between two reads.
        if (doubted === place) return damaged(segment, place);
        doubted = place;
        continue;
      }
      pending = [];
      pendingFrom = 0;
      recordsOf(chunk, at, wanted, pending);
      at = head.end;
      return true;
    }
    return false;
  }

  function nextSegment(current: Segment): Segment | undefined {
    return listSegments(directory).find(({ baseOffset }) => baseOffset > current.baseOffset);
  }

  return {
    async read(maxRecords, maxBytes) {
      const records: SourceRecord[] = [];
      let bytes = 0;
      while (records.length < maxRecords && bytes < maxBytes) {
        if (pendingFrom === pending.length) {
          const advanced = await advance();
          if (advanced === false) break;
          if (advanced !== true) return { records, problem: advanced };
        }
        const record = pending[pendingFrom++];
        if (record === undefined) continue;
        records.push(record);
        bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
        wanted = record.offset + 1;
      }
      return { records };
    },
    position: () => wanted,
    seek(offset) {
      if (offset === wanted) return;
      wanted = offset;
      pending = [];
      pendingFrom = 0;
      const old = file;
      file = undefined;
      segment = undefined;
      chunk = Buffer.alloc(0);
      at = 0;
      position = 0;
      void old?.close();
    },
    range() {
      const asked = turn.then(async () => {
        const segments = listSegments(directory);
        const last = segments.at(-1);
        if (last === undefined) return { first: 0, end: 0 };
        if (tail.path !== last.path)
          Object.assign(tail, { path: last.path, position: 0, end: last.baseOffset });
        await followTail(tail);
        return { first: segments[0]?.baseOffset ?? 0, end: tail.end };
      });
      turn = asked.catch(() => undefined);
      return asked;
    },
    async close() {
      await file?.close();
      file = undefined;
    },
  };
}

/** Walks frame heads from where it last stood to the end of the file. */
async function followTail(tail: { path: string; position: number; end: number }): Promise<void> {
  const file = await openIfThere(tail.path);
  if (file === undefined) return;
  const bytes = Buffer.allocUnsafeSlow(FRAME_HEAD + 12);
  try {
    const { size } = await file.stat();
    for (;;) {
      const { bytesRead } = await file.read(bytes, 0, bytes.length, tail.position);
      if (bytesRead < bytes.length) return;
      const next = tail.position + FRAME_HEAD + bytes.readUInt32LE(0);
      if (next > size || bytes.readDoubleLE(FRAME_HEAD) !== tail.end) return;
      tail.position = next;
      tail.end += bytes.readUInt32LE(FRAME_HEAD + 8);
    }
  } finally {
    await file.close();
  }
}

/** Undefined: the topic was deleted after its files were listed. */
async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (Object(cause).code === "ENOENT") return undefined;
    throw cause;
  }
}

function damaged(segment: Segment, position: number): Problem {
  return {
    code: "log-damaged",
    message: `The topic's file ${segment.path} is damaged at byte ${position}: its checksum does not match.`,
    hint: "Restore the file from a backup, or make the topic again and start the pipeline in a new epoch.",
    at: { file: segment.path, offset: position },
  };
}
