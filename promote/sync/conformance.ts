import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { layOut } from "./arrow-layout.ts";
import type { NewRecord } from "./embedded/frames.ts";
import { typedColumns } from "./identity.ts";
import type { Kept } from "./json-values.ts";
import { CLEAR, WRITE, type Outcome, type PollRequest, type Sink, type SinkBatch, type SinkContract, type Source, type SourceEvent, type SourceRecord, type StoredRow } from "./ports.ts";
import { versionOf } from "./version.ts";

/** What an adapter brings to the suite: a fresh topic, a way to write it, and sources on it. */
export type SourceHarness = {
  open(): Promise<Source>;
  append(records: readonly NewRecord[]): Promise<void>;
  /** Deletes the topic and makes it again under its name. */
  recreate(): Promise<void>;
  close(): Promise<void>;
};

/** Cases an adapter may leave out, each with its reason in the adapter's test. */
export type Skips = Partial<Record<string, string>>;

/** The conformance suite of the `Source` port. Call it inside a `describe`. */
export function sourceConformance(makeHarness: () => Promise<SourceHarness>, skips: Skips = {}): void {
  const check = (name: string, body: (harness: SourceHarness) => Promise<void>): void => {
    test.skipIf(skips[name] !== undefined)(name, async () => {
      const harness = await makeHarness();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });
  };

  check("gives every record once, in offset order, with its key, value, time and headers", async (h) => {
    const headers = [
      { key: "trace", value: new Uint8Array([0, 255]) },
      { key: "trace", value: new Uint8Array() },
    ];
    await h.append([text("a", "1", 5), { ...text("b", "2", 6), headers }]);
    await h.append([{ key: new Uint8Array([1, 2]), value: null, timestampMs: 7 }, { key: null, value: new Uint8Array(), timestampMs: 8 }]);
    const source = await h.open();
    const records = await take(source, 4);
    expect(records.map((r) => [bytes(r.key), bytes(r.value), r.timestampMs])).toEqual([
      ["61", "31", 5],
      ["62", "32", 6],
      ["0102", null, 7],
      [null, "", 8],
    ]);
    expect(records[1]?.headers.map((header) => [header.key, bytes(header.value)])).toEqual([
      ["trace", "00ff"],
      ["trace", ""],
    ]);
    expect(increasing(records)).toBe(true);
    await source.close();
  });

  check("follows a topic while it grows, and says idle when there is nothing", async (h) => {
    const source = await h.open();
    await h.append([text("a", "1")]);
    expect(await take(source, 1)).toHaveLength(1);
    expect((await source.poll({ ...POLL, waitMs: 0 })).kind).toBe("idle");
    await h.append([text("b", "2")]);
    expect((await take(source, 1)).map((r) => bytes(r.key))).toEqual(["62"]);
    await source.close();
  });

  check("holds to maxRecords and says where to go on", async (h) => {
    await h.append(numbered(100));
    const source = await h.open();
    const seen: SourceRecord[] = [];
    while (seen.length < 100) {
      const event = await source.poll({ ...POLL, maxRecords: 7 });
      if (event.kind !== "records") continue;
      expect(event.delivery.records.length).toBeLessThanOrEqual(7);
      seen.push(...event.delivery.records);
      expect(event.delivery.next).toBeGreaterThan(seen.at(-1)?.offset ?? -1);
    }
    expect(new Set(seen.map((r) => r.offset)).size).toBe(100);
    await source.close();
  });

  check("goes on from a sought offset, backwards and forwards", async (h) => {
    await h.append(numbered(50));
    const source = await h.open();
    const all = await take(source, 50);
    const tenth = all[10]?.offset ?? -1;
    source.seek(TOPIC_OF.get(source) ?? "", 0, tenth);
    expect((await take(source, 40)).map((r) => r.offset)).toEqual(all.slice(10).map((r) => r.offset));
    await source.close();
  });

  check("remembers a commit for the next worker", async (h) => {
    await h.append(numbered(10));
    const first = await h.open();
    const event = await next(first, "records");
    await first.commit([{ topic: event.delivery.topic, partition: event.delivery.partition, next: event.delivery.next }]);
    await first.close();
    const second = await h.open();
    const assigned = await next(second, "assigned");
    expect(assigned.partitions[0]?.committed).toBe(event.delivery.next);
    await second.close();
  });

  check("gives again what was not committed", async (h) => {
    await h.append(numbered(10));
    const first = await h.open();
    await take(first, 10);
    await first.close();
    const second = await h.open();
    expect(await take(second, 10)).toHaveLength(10);
    await second.close();
  });

  check("a paused partition gives nothing until it is resumed", async (h) => {
    const source = await h.open();
    await h.append([text("a", "1")]);
    await take(source, 1);
    const only = [{ topic: TOPIC_OF.get(source) ?? "", partition: 0 }];
    source.pause(only);
    await h.append([text("b", "2")]);
    expect((await source.poll({ ...POLL, waitMs: 60 })).kind).toBe("idle");
    source.resume(only);
    expect(await take(source, 1)).toHaveLength(1);
    await source.close();
  });

  check("says how far a partition reaches", async (h) => {
    await h.append(numbered(30));
    const source = await h.open();
    const records = await take(source, 30);
    const range = (await source.ranges())[0];
    expect(range?.end).toBeGreaterThan(records.at(-1)?.offset ?? Infinity);
    expect(range?.first).toBeLessThanOrEqual(records[0]?.offset ?? -1);
    await source.close();
  });

  check("a topic made again has another incarnation", async (h) => {
    await h.append(numbered(1));
    const before = await h.open();
    const old = (await next(before, "assigned")).partitions[0]?.incarnation;
    await before.close();
    await h.recreate();
    await h.append(numbered(1));
    const after = await h.open();
    expect((await next(after, "assigned")).partitions[0]?.incarnation).not.toBe(old);
    await after.close();
  });
}

const POLL: PollRequest = { maxRecords: 1000, maxBytes: 1 << 20, waitMs: 200 };
const TOPIC_OF = new WeakMap<Source, string>();

async function next<K extends SourceEvent["kind"]>(source: Source, kind: K): Promise<Extract<SourceEvent, { kind: K }>> {
  for (;;) {
    const event = await source.poll(POLL);
    if (event.kind === "assigned") TOPIC_OF.set(source, event.partitions[0]?.topic ?? "");
    if (event.kind === kind) return event as Extract<SourceEvent, { kind: K }>; // the kind was just compared
    if (event.kind === "halt") throw new Error(event.problem.message);
  }
}

async function take(source: Source, count: number): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  while (records.length < count) records.push(...(await next(source, "records")).delivery.records);
  return records;
}

function numbered(count: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => text(String(i), `value ${i}`));
}

function text(key: string, value: string, timestampMs = 1): NewRecord {
  return { key: Buffer.from(key), value: Buffer.from(value), timestampMs };
}

function bytes(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString("hex");
}

function increasing(records: readonly SourceRecord[]): boolean {
  return records.every((record, i) => i === 0 || record.offset > (records[i - 1]?.offset ?? Infinity));
}

/** What an adapter brings to the suite: a place that outlives the sink, empty at first. */
export type SinkHarness = { open(): Promise<Sink>; close(): Promise<void> };

const KEY: Column[] = [{ name: "id", type: "BIGINT", nullable: false }];
const COLUMNS: Column[] = [
  { name: "id", type: "BIGINT", nullable: false },
  { name: "note", type: "VARCHAR", nullable: true },
];
const CONTRACT: SinkContract = { key: KEY, columns: COLUMNS, maxParts: 2 };

/** One effect, in short: a note to write, or null to clear. */
export type Effect = { id: number; part?: number; epoch?: number; offset: number; note: string | null };

/** The conformance suite of the `Sink` port. Call it inside a `describe`. */
export function sinkConformance(makeHarness: () => Promise<SinkHarness>, skips: Skips = {}): void {
  const check = (name: string, body: (open: () => Promise<Sink>) => Promise<void>): void => {
    test.skipIf(skips[name] !== undefined)(name, async () => {
      const harness = await makeHarness();
      const open = async (): Promise<Sink> => {
        const sink = await harness.open();
        expect(await sink.prepare(CONTRACT)).toBeUndefined();
        return sink;
      };
      try {
        await body(open);
      } finally {
        await harness.close();
      }
    });
  };
  const write = async (sink: Sink, ...effects: Effect[]): Promise<string[]> =>
    (await sink.write(batchOf(effects))).map((outcome) => outcome.kind);

  check("writes rows, and they are there for the next process", async (open) => {
    const sink = await open();
    expect(await write(sink, { id: 1, offset: 0, note: "one" }, { id: 2, offset: 1, note: "a note of more than twelve bytes, ünïcode" })).toEqual(["written", "written"]);
    expect(await sink.count()).toBe(2);
    await sink.close();
    const again = await open();
    expect(await contents(again)).toEqual([
      [1, 0, "one"],
      [2, 0, "a note of more than twelve bytes, ünïcode"],
    ]);
    await again.close();
  });

  check("the newer version wins, whichever comes first", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 5, note: "new" });
    expect(await write(sink, { id: 1, offset: 3, note: "old" })).toEqual(["stale"]);
    expect(await write(sink, { id: 1, offset: 7, note: "newer" })).toEqual(["written"]);
    expect(await contents(sink)).toEqual([[1, 0, "newer"]]);
    await sink.close();
  });

  check("a later epoch beats any offset of an earlier one", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, epoch: 1025, offset: 1, note: "later epoch" });
    expect(await write(sink, { id: 1, epoch: 1024, offset: 999, note: "earlier epoch" })).toEqual(["stale"]);
    await sink.close();
  });

  check("the same write again is written, not stale", async (open) => {
    const sink = await open();
    const effects = [{ id: 1, offset: 4, note: "x" }, { id: 2, offset: 5, note: null }];
    await write(sink, ...effects);
    expect(await write(sink, ...effects)).toEqual(["written", "written"]);
    expect(await contents(sink)).toEqual([[1, 0, "x"]]);
    await sink.close();
  });

  check("a clear takes the row away and says so, also when it is delivered again", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 0, note: "x" });
    const clear = batchOf([{ id: 1, offset: 1, note: null }, { id: 9, offset: 2, note: null }]);
    const retracted = (outcomes: Outcome[]): boolean[] => outcomes.map((outcome) => outcome.kind === "written" && outcome.retracted);
    expect(retracted(await sink.write(clear))).toEqual([true, false]);
    expect(retracted(await sink.write(clear))).toEqual([true, false]);
    expect(await sink.count()).toBe(0);
    await sink.close();
  });

  check("a clear keeps its version: an older write arriving late does not bring the row back, also in a later process", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 1, note: "x" });
    await write(sink, { id: 1, offset: 9, note: null }, { id: 2, offset: 10, note: null });
    await sink.close();
    const again = await open();
    expect(await write(again, { id: 1, offset: 8, note: "late" }, { id: 2, offset: 8, note: "late" })).toEqual(["stale", "stale"]);
    expect(await contents(again)).toEqual([]);
    expect(await write(again, { id: 1, offset: 11, note: "back" })).toEqual(["written"]);
    expect(await contents(again)).toEqual([[1, 0, "back"]]);
    await again.close();
  });

  check("parts of one key are rows of their own", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, part: 0, offset: 0, note: "a" }, { id: 1, part: 1, offset: 0, note: "b" });
    await write(sink, { id: 1, part: 0, offset: 1, note: "a2" }, { id: 1, part: 1, offset: 1, note: null });
    expect(await contents(sink)).toEqual([[1, 0, "a2"]]);
    await sink.close();
  });

  check("outcomes come in the order of the operations", async (open) => {
    const sink = await open();
    await write(sink, { id: 2, offset: 50, note: "held" }, { id: 4, offset: 50, note: null });
    const mixed = [1, 2, 3, 4, 5].map((id) => ({ id, offset: 40, note: `n${id}` }));
    expect(await write(sink, ...mixed)).toEqual(["written", "stale", "written", "stale", "written"]);
    await sink.close();
  });

  check("rows keep the version and position they came from", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 41, note: null });
    const rows: StoredRow[] = [];
    for await (const row of sink.scan()) rows.push(row);
    expect(rows).toEqual([{ key: [1], part: 0, version: versionOf(1024, 41, 0), topic: "t", partition: 3, offset: 41, values: null }]);
    await sink.close();
  });

  check("a column added to the contract is there for new rows and null in old ones", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 0, note: "x" });
    const wider = { ...CONTRACT, columns: [...COLUMNS, { name: "Note", type: "DOUBLE", nullable: true }] };
    expect(await sink.prepare(wider)).toBeUndefined();
    const rows: StoredRow[] = [];
    for await (const row of sink.scan()) rows.push(row);
    expect(rows.map((row) => row.values)).toEqual([{ id: 1, note: "x", Note: null }]);
    await sink.close();
  });

  check("whatever the order, batches and repetitions, the newest version of every key and part is left", async (open) => {
    const effect = fc.record({
      id: fc.integer({ min: 1, max: 6 }),
      part: fc.integer({ min: 0, max: 1 }),
      epoch: fc.constantFrom(1024, 1025),
      offset: fc.integer({ min: 0, max: 30 }),
    });
    const sink = await open();
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(effect, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 9 }), async (drawn, size) => {
        // A version says what is written: the same one twice is the same effect. Each round has ids of its own.
        const base = ++round * 10;
        const effects = drawn.map((e): Effect => ({ ...e, id: base + e.id, note: e.offset % 3 === 0 ? null : `${e.epoch}/${e.offset}` }));
        for (let from = 0; from < effects.length; from += size) await sink.write(batchOf(newest(effects.slice(from, from + size))));
        const wanted = newest(effects).filter((e) => e.note !== null).map((e) => [e.id, e.part ?? 0, e.note]);
        const stored = (await contents(sink)).filter(([id]) => Number(id) > base && Number(id) < base + 10);
        expect(stored).toEqual(wanted.sort((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1])));
      }),
      { numRuns: 30 },
    );
    await sink.close();
  });
}

function newest(effects: readonly Effect[]): Effect[] {
  const kept = new Map<string, Effect>();
  for (const effect of effects) {
    const place = `${effect.id}/${effect.part ?? 0}`;
    const held = kept.get(place);
    if (held === undefined || versionOfEffect(held) <= versionOfEffect(effect)) kept.set(place, effect);
  }
  return [...kept.values()];
}

function versionOfEffect(effect: Effect): bigint {
  return versionOf(effect.epoch ?? 1024, effect.offset, effect.note === null ? 0 : 1);
}

function batchOf(effects: readonly Effect[]): SinkBatch {
  const written = effects.filter((effect) => effect.note !== null);
  return {
    contract: CONTRACT,
    topic: "t",
    partition: 3,
    count: effects.length,
    kind: Uint8Array.from(effects, (effect) => (effect.note === null ? CLEAR : WRITE)),
    version: BigInt64Array.from(effects, versionOfEffect),
    offset: Float64Array.from(effects, (effect) => effect.offset),
    part: Int32Array.from(effects, (effect) => effect.part ?? 0),
    keyRow: Int32Array.from(effects, (_, i) => i),
    keys: arrow(KEY, [effects.map((effect) => effect.id)]),
    row: Int32Array.from(effects, (effect) => written.indexOf(effect)),
    rows: arrow(COLUMNS, [written.map((effect) => effect.id), written.map((effect) => effect.note)]),
  };
}

function arrow(columns: readonly Column[], values: Kept[][]): Uint8Array {
  const typed = unwrap(typedColumns(columns));
  return encodeStream(typed, typed.map((column, i) => layOut(column.type, values[i] ?? [], 0, values[i]?.length ?? 0)));
}

async function contents(sink: Sink): Promise<[unknown, number, unknown][]> {
  const rows: [unknown, number, unknown][] = [];
  for await (const row of sink.scan()) if (row.values !== null) rows.push([row.key[0], row.part, row.values["note"]]);
  return rows;
}
