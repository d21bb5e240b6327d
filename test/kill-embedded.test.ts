import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { batchRun } from "#promote/sync/verify/batch-run.ts";
import { listDeadLetters } from "#promote/sync/dead-letters/dead-letters.ts";
import { openFileTopicReader } from "#promote/sync/embedded/file-reader.ts";
import { openDuckdbSink } from "#promote/sync/embedded/duckdb-sink.ts";
import { openFileLogWriter } from "#promote/sync/embedded/file-log.ts";
import type { NewRecord } from "#promote/sync/embedded/frames.ts";
import { freshPlace, specOf } from "#promote/sync/fixture.ts";
import { readProgress } from "#promote/sync/order/progress.ts";
import type { Sink } from "#promote/sync/ports.ts";
import { unwrap } from "#snapshots/problem.ts";

const RECORDS = 200_000;
const KILLS = 20;
const SEED = Number(process.env["PENSTOCK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const child = fileURLToPath(new URL("./kill-embedded-child.ts", import.meta.url));

const place = freshPlace();
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const process of running) process.kill("SIGKILL");
  place.remove();
});

test(
  "20 SIGKILLs in 200,000 records: both sinks equal a batch run row by row, dead letters and counts are exact",
  { timeout: 600_000 },
  async () => {
    const random = seeded(SEED);
    const broken = await writeTopic(random);
    // Corrections below −20 minutes are filtered, so that updates retract as well as replace.
    const spec = await specOf(place, {
      apply: "(f) => f.delay < -20 ? null : { ...f, late: f.delay > 15 }",
    });
    mkdirSync(place.root, { recursive: true });
    writeFileSync(join(place.root, "spec.json"), JSON.stringify(spec));

    const kills: string[] = [];
    const moments = Array.from({ length: KILLS }, () =>
      Math.floor(random() * RECORDS * 0.95),
    ).toSorted((a, b) => a - b);
    for (const [i, moment] of moments.entries()) {
      // Every fifth falls into start-up and recovery; the others some time after a commit, wherever that meets decode, guest, sinks or commit.
      const early = i % 5 === 4;
      const lateMs = random() * (early ? 700 : 40);
      const reached = await runAndKill(early ? -1 : moment, lateMs);
      kills.push(
        `${early ? "start" : `offset ${moment}`} + ${lateMs.toFixed(1)} ms, at ${reached}`,
      );
    }
    await runToEnd();

    const story = `seed ${SEED}; killed at: ${kills.join("; ")}`;
    const batch = unwrap(
      await batchRun(spec, {
        reader: openFileTopicReader(place.workspace.paths.topics),
        store: place.store,
        root: place.root,
      }),
    );
    for (const name of ["table", "search"]) {
      const sink = await openDuckdbSink({
        name,
        path: join(place.workspace.paths.sinks, "staging", "delays", `${name}.duckdb`),
      });
      const key = spec.input.filter((column) => spec.key.includes(column.name));
      expect(
        await sink.prepare({ key, columns: spec.output, maxParts: spec.maxParts }),
      ).toBeUndefined();
      expect(await firstDifference(sink, batch), `${name}: ${story}`).toBeUndefined();
      await sink.close();
    }
    await batch.close();

    const state = new DatabaseSync(place.statePath, { readOnly: true });
    const id = { environment: "staging", name: "delays" };
    const { counts } = readProgress(state, id);
    const { letters } = listDeadLetters(state, id, { offset: 0, limit: RECORDS });
    state.close();
    expect(
      letters.map((letter) => letter.offset).toSorted((a, b) => a - b),
      story,
    ).toEqual(broken);
    expect(counts, story).toMatchObject({
      read: RECORDS,
      deadLettered: broken.length,
      filtered: batch.counts.filtered,
    });
    expect(counts.written + counts.filtered + counts.stale + counts.deadLettered, story).toBe(
      RECORDS,
    );
  },
);

/** The first row the two do not share, tombstones, versions and offsets included. */
async function firstDifference(sink: Sink, batch: { rows: Sink["scan"] }): Promise<unknown> {
  const left = sink.scan()[Symbol.asyncIterator]();
  const right = batch.rows()[Symbol.asyncIterator]();
  for (let row = 0; ; row++) {
    const [a, b] = await Promise.all([left.next(), right.next()]);
    if (a.done === true && b.done === true) return row > 100_000 ? undefined : `only ${row} rows`;
    if (a.done !== b.done || text(a.value) !== text(b.value))
      return { row, stream: a.value, batch: b.value };
  }
}

/** Starts the pipeline and kills it `lateMs` after it has committed `moment` (or after its start, for −1). */
async function runAndKill(moment: number, lateMs: number): Promise<number> {
  const { process, committed } = start();
  // It may have come to the end before the kill.
  const exited = once(process, "exit");
  if (moment >= 0) await committed.until(moment);
  await delay(lateMs);
  process.kill("SIGKILL");
  await exited;
  return committed.offset();
}

async function runToEnd(): Promise<void> {
  const { process, committed } = start();
  const exited = once(process, "exit");
  await committed.until(RECORDS);
  await exited;
}

type Committed = { offset(): number; until(offset: number): Promise<void> };

function start(): { process: ChildProcess; committed: Committed } {
  const started = spawn(process.execPath, [child, place.root, String(RECORDS)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(started);
  let offset = -1;
  let errors = "";
  let waiting: { offset: number; resolve(): void; reject(cause: Error): void } | undefined;
  started.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  createInterface({ input: started.stdout }).on("line", (line) => {
    if (line.startsWith("problem ")) waiting?.reject(new Error(`seed ${SEED}: ${line}`));
    if (line.startsWith("offset ")) offset = Number(line.slice(7));
    if (waiting !== undefined && offset >= waiting.offset) waiting.resolve();
  });
  started.on("exit", (code, signal) => {
    running.delete(started);
    if (signal !== "SIGKILL" && code !== 0)
      waiting?.reject(new Error(`seed ${SEED}: the pipeline ended with ${code}: ${errors}`));
  });
  const until = (wanted: number): Promise<void> =>
    offset >= wanted
      ? Promise.resolve()
      : new Promise((resolve, reject) => (waiting = { offset: wanted, resolve, reject }));
  return { process: started, committed: { offset: () => offset, until } };
}

/** New flights, corrections, cancellations, exact duplicates, late repeats of old versions, and a few broken ones (whose offsets are returned). */
async function writeTopic(random: () => number): Promise<number[]> {
  const log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  const broken: number[] = [];
  const sent: NewRecord[] = [];
  let batch: NewRecord[] = [];
  let ids = 0;
  for (let n = 0; n < RECORDS; n++) {
    const draw = random();
    const known = Math.floor(random() * ids);
    let record: NewRecord;
    if (draw < 0.6 || ids === 0) record = flight(ids++, random);
    else if (draw < 0.8) record = flight(known, random);
    else if (draw < 0.88) record = { key: Buffer.from(String(known)), value: null, timestampMs: n };
    else if (draw < 0.9998)
      record =
        sent[Math.floor(draw < 0.94 ? sent.length - 1 - random() * 20 : random() * sent.length)] ??
        flight(known, random);
    else {
      broken.push(n);
      const value = JSON.stringify({ ...valueOf(known, random), delay: "N/A" });
      batch.push({ key: Buffer.from(String(known)), value: Buffer.from(value), timestampMs: n });
      continue;
    }
    sent.push(record);
    batch.push(record);
    if (batch.length >= 1000) unwrap(await log.append(batch.splice(0)));
  }
  unwrap(await log.append(batch));
  await log.close();
  return broken;
}

function flight(id: number, random: () => number): NewRecord {
  return {
    key: Buffer.from(String(id)),
    value: Buffer.from(JSON.stringify(valueOf(id, random))),
    timestampMs: id,
  };
}

function valueOf(id: number, random: () => number): Record<string, unknown> {
  const origin = ["DEN", "SFO", "ORD", "A long name of an airport"][Math.floor(random() * 4)];
  return {
    id,
    date: "2001-04-01T00:05:00",
    delay: Math.floor(random() * 120) - 40,
    distance: id % 3000,
    origin,
    destination: "MSY",
  };
}

/** mulberry32 (Tommy Ettinger, public domain). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v));
}
