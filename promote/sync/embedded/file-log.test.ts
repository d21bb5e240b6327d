import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { sourceConformance } from "../conformance/source-conformance.ts";
import { openFileLogWriter, type FileLogOptions } from "./file-log.ts";
import { openFileTopicReader } from "./file-reader.ts";
import { openFileSource } from "./file-source.ts";
import type { SourceRecord } from "../ports.ts";
import type { NewRecord } from "./frames.ts";
import { openFileLogReader } from "./log-reader.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0))
    rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "penstock-log-"));
  directories.push(directory);
  return directory;
}

const OPTIONS: FileLogOptions = { fsync: "never" };

describe("the file log as a Source", () => {
  sourceConformance(
    async () => {
      const directory = freshDirectory();
      let writer = unwrap(await openFileLogWriter(directory, OPTIONS));
      return {
        open: async () => openFileSource(directory, "flights"),
        append: async (records) => void unwrap(await writer.append(records)),
        recreate: async () => {
          await writer.close();
          rmSync(directory, { recursive: true });
          writer = unwrap(await openFileLogWriter(directory, OPTIONS));
        },
        close: () => writer.close(),
      };
    },
    { "remembers a commit for the next worker": "the file log keeps no commits; state.db does" },
  );
});

describe("the file log on disk", () => {
  test("its end is the same for all who ask at once", async () => {
    const directory = freshDirectory();
    const writer = unwrap(await openFileLogWriter(directory, OPTIONS));
    for (let i = 0; i < 50; i++) unwrap(await writer.append([record(`k${i}`)]));
    const reader = openFileLogReader(directory, 0);
    const ranges = await Promise.all(Array.from({ length: 5 }, () => reader.range()));
    expect(ranges).toEqual(Array.from({ length: 5 }, () => ({ first: 0, end: 50 })));
    await reader.close();
    await writer.close();
  });

  test("offsets are dense over restarts and segments", async () => {
    const directory = freshDirectory();
    const small = { ...OPTIONS, segmentBytes: 300 };
    for (let round = 0; round < 5; round++) {
      const writer = unwrap(await openFileLogWriter(directory, small));
      expect(writer.end()).toBe(round * 20);
      for (let i = 0; i < 20; i++) unwrap(await writer.append([record(`${round}-${i}`)]));
      await writer.close();
    }
    expect(readdirSync(directory).filter((name) => name.endsWith(".log")).length).toBeGreaterThan(
      5,
    );
    expect((await offsets(directory)).map(([offset]) => offset)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
    expect(await offsets(directory, 77)).toHaveLength(23);
  });

  test("what is appended to a segment between a reader's looks at its end and for the next one is not passed over", async () => {
    const directory = freshDirectory();
    const options = { ...OPTIONS, segmentBytes: 1 };
    const writer = unwrap(await openFileLogWriter(directory, options));
    const reader = openFileLogReader(directory, 0);
    const handle = await open(join(directory, `${"0".repeat(16)}.log`));
    const looking = vi.spyOn(prototypeOf(handle), "stat");
    looking.mockImplementationOnce(async () => {
      const found = await handle.stat();
      for (const key of ["first", "second"]) unwrap(await writer.append([record(key)]));
      return found;
    });
    const seen: number[] = [];
    while (seen.at(-1) !== 1)
      for (const { offset } of (await reader.read(10, 1e6)).records) seen.push(offset);
    expect(seen).toEqual([0, 1]);
    looking.mockRestore();
    await Promise.all([handle.close(), reader.close(), writer.close()]);
  });

  test("a torn tail is cut at any byte, kept aside, and nothing acknowledged before it is lost", async () => {
    const whole = freshDirectory();
    const writer = unwrap(await openFileLogWriter(whole, OPTIONS));
    unwrap(await writer.append([record("first"), record("second")]));
    unwrap(await writer.append([record("third")]));
    await writer.close();
    const log = join(whole, `${"0".repeat(16)}.log`);
    const bytes = readFileSync(log);
    const firstFrame = 8 + bytes.readUInt32LE(0);
    for (let size = firstFrame; size < bytes.length; size++) {
      writeFileSync(log, bytes);
      truncateSync(log, size);
      const again = unwrap(await openFileLogWriter(whole, OPTIONS));
      expect(again.end()).toBe(2);
      unwrap(await again.append([record("instead")]));
      await again.close();
      expect((await offsets(whole)).map(([, key]) => key)).toEqual(["first", "second", "instead"]);
    }
  });

  test("a reader waits before bytes that are not whole yet, also when their writer cuts them off", async () => {
    const directory = freshDirectory();
    const writer = unwrap(await openFileLogWriter(directory, OPTIONS));
    unwrap(await writer.append([record("first")]));
    await writer.close();
    const reader = openFileLogReader(directory, 0);
    appendFileSync(
      join(directory, `${"0".repeat(16)}.log`),
      Buffer.from([9, 1, 0, 0, 7, 7, 7, 7, 7, 7]),
    );
    expect((await reader.read(10, 1e6)).records).toHaveLength(1);
    expect((await reader.read(10, 1e6)).records).toHaveLength(0);
    const again = unwrap(await openFileLogWriter(directory, OPTIONS));
    unwrap(await again.append([record("second"), record("third")]));
    expect((await reader.read(10, 1e6)).records.map((r) => r.offset)).toEqual([1, 2]);
    await reader.close();
    await again.close();
  });

  test("damage before the tail is a problem that names the file and byte", async () => {
    const directory = freshDirectory();
    const writer = unwrap(await openFileLogWriter(directory, OPTIONS));
    unwrap(await writer.append([record("first")]));
    unwrap(await writer.append([record("second")]));
    await writer.close();
    const log = join(directory, `${"0".repeat(16)}.log`);
    const bytes = readFileSync(log);
    bytes[30] = (bytes[30] ?? 0) ^ 1;
    writeFileSync(log, bytes);
    const reader = openFileLogReader(directory, 0);
    const problem = { code: "log-damaged", at: { file: log, offset: 0 } };
    expect((await reader.read(10, 1e6)).problem).toMatchObject(problem);
    await reader.close();
    // To begin at the end instead would leave out all there is.
    const source = openFileSource(directory, "flights", { timestampMs: 1 });
    const event = await source.poll({ maxRecords: 1, maxBytes: 1, waitMs: 0 });
    expect(event).toMatchObject({ kind: "halt", problem });
    await source.close();
  });

  test("a source starts where it is told: at the end, at a time, at an offset", async () => {
    const directory = freshDirectory();
    const log = unwrap(await openFileLogWriter(directory, { fsync: "never" }));
    const at = (timestampMs: number): NewRecord => ({ key: null, value: null, timestampMs });
    unwrap(await log.append([10, 20, 30].map(at)));
    await log.close();
    const startOf = async (start?: Parameters<typeof openFileSource>[2]) => {
      const source = openFileSource(directory, "flights", start);
      const event = await source.poll({ maxRecords: 1, maxBytes: 1, waitMs: 0 });
      await source.close();
      return event.kind === "assigned" ? event.partitions[0]?.start : event.kind;
    };
    const offsets = [{ topic: "flights", partition: 0, offset: 1 }];
    expect(await startOf()).toBe(0);
    expect(await startOf("latest")).toBe(3);
    expect(await startOf({ timestampMs: 15 })).toBe(1);
    expect(await startOf({ timestampMs: 31 })).toBe(3);
    expect(await startOf({ offsets })).toBe(1);
  });

  test("a topic has one writer", async () => {
    const directory = freshDirectory();
    const writer = unwrap(await openFileLogWriter(directory, OPTIONS));
    expect(await openFileLogWriter(directory, OPTIONS)).toMatchObject({
      ok: false,
      problem: { code: "log-in-use" },
    });
    await writer.close();
    await unwrap(await openFileLogWriter(directory, OPTIONS)).close();
  });

  test("what is read is what was appended, whatever the sizes of appends, segments and reads", async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null });
    const batch = fc.array(fc.record({ key: bytes, value: bytes, timestampMs: fc.nat() }), {
      minLength: 1,
      maxLength: 9,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { maxLength: 8 }),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 5 }),
        async (batches, segmentBytes, maxRecords) => {
          const directory = freshDirectory();
          const writer = unwrap(await openFileLogWriter(directory, { ...OPTIONS, segmentBytes }));
          for (const records of batches) unwrap(await writer.append(records));
          const reader = openFileLogReader(directory, 0);
          const seen: unknown[] = [];
          for (;;) {
            const { records } = await reader.read(maxRecords, 1e6);
            if (records.length === 0) break;
            for (const r of records)
              seen.push({
                key: plain(r.key),
                value: plain(r.value),
                timestampMs: r.timestampMs,
                offset: r.offset,
              });
          }
          const wanted = batches.flat().map((r, offset) => ({
            key: plain(r.key),
            value: plain(r.value),
            timestampMs: r.timestampMs,
            offset,
          }));
          expect(seen).toEqual(wanted);
          expect(await reader.range()).toEqual({ first: 0, end: wanted.length });
          await reader.close();
          await writer.close();
        },
      ),
      { numRuns: 40 },
    );
  });
});

function record(key: string): NewRecord {
  return { key: Buffer.from(key), value: Buffer.from(`{"key":"${key}"}`), timestampMs: 1 };
}

function prototypeOf<T extends object>(value: T): T {
  return Object.getPrototypeOf(value) as T; // has all of its methods
}

function plain(value: Uint8Array | null): number[] | null {
  return value === null ? null : [...value];
}

function wholeLog(directory: string, from: number): AsyncIterable<readonly SourceRecord[]> {
  return openFileTopicReader(dirname(directory)).read(basename(directory), 0, from, Infinity);
}

async function offsets(directory: string, from = 0): Promise<[number, string][]> {
  const seen: [number, string][] = [];
  for await (const records of wholeLog(directory, from)) {
    for (const r of records) seen.push([r.offset, Buffer.from(r.key ?? []).toString()]);
  }
  return seen;
}
