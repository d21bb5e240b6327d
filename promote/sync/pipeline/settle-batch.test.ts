import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import { collect, firstEpoch, freshPlace, living, specOf, type SpecOptions } from "../fixture.ts";
import { openReleaseGuest } from "../guest/guest.ts";
import { openRowLedger } from "../embedded/row-ledger.ts";
import { selectOperations } from "./operations.ts";
import { WRITE, WRITTEN, type Sink, type SinkBatch, type SourceRecord } from "../ports.ts";
import { versionOf } from "../order/version.ts";
import { openTurns, settleBatch } from "./settle-batch.ts";

const place = freshPlace();
const directory = mkdtempSync(join(tmpdir(), "penstock-settle-"));
afterAll(() => {
  place.remove();
  rmSync(directory, { recursive: true, force: true });
});

/** A sink that cannot hold records of these offsets, as a mapping error of a search index would have it. */
function rejecting(sink: Sink, offsets: number[]): Sink {
  return {
    ...sink,
    async write(batch, signal) {
      const bad = [...batch.offset].map((offset) => offsets.includes(offset));
      if (!bad.includes(true)) return sink.write(batch, signal);
      return bad.map((isBad) =>
        isBad
          ? { kind: "reject" as const, reason: "value too long" }
          : {
              kind: "retryAfter" as const,
              afterMs: 0,
              problem: { code: "again", message: "again" },
            },
      );
    },
  };
}

/** As Cassandra has it: what cannot be held is known before anything is sent, of each row by itself. */
function holding(sink: Sink, isBad: (batch: SinkBatch, operation: number) => boolean): Sink {
  return {
    ...sink,
    async write(batch, signal) {
      const bad = Array.from(batch.offset, (_, i) => isBad(batch, i));
      const good = bad.flatMap((is, i) => (is ? [] : [i]));
      const outcomes = await sink.write(selectOperations(batch, good), signal);
      let next = 0;
      return bad.map((is) =>
        is ? { kind: "reject", reason: "too large" } : (outcomes[next++] ?? WRITTEN),
      );
    },
  };
}

const STRETCH = { topic: "t", incarnation: "i", partition: 0 };

function recordOf(offset: number, changed: Record<string, unknown> = {}): SourceRecord {
  const flight = {
    id: 7,
    date: "2001-04-01",
    delay: 1,
    distance: 1,
    origin: "A",
    destination: "B",
  };
  const value = Buffer.from(JSON.stringify({ ...flight, ...changed }));
  return { offset, timestampMs: 0, key: null, headers: [], value };
}

/** A release whose records are brought into sinks, batch by batch. */
async function openRelease(options: SpecOptions = {}) {
  const spec = await specOf(place, options);
  const decoder = unwrap(openJsonDecoder(spec));
  const guest = openReleaseGuest(spec, place);
  const contract = { key: decoder.key, columns: spec.output, maxParts: spec.maxParts };
  const { signal } = new AbortController();
  return {
    async sink(name: string): Promise<Sink> {
      const sink = await openDuckdbSink({ name, path: join(directory, `${name}.duckdb`) });
      expect(await sink.prepare(contract)).toBeUndefined();
      return sink;
    },
    async settle(sinks: readonly Sink[], ...records: SourceRecord[]) {
      const decoded = decoder.decode(records, 0);
      const chunks = unwrap(await guest.run(decoded, signal));
      const portions = [{ stretch: STRETCH, epoch: firstEpoch(STRETCH), records }];
      const item = { portions, contract, records, decoded, chunks, sourceMap: undefined };
      const settled = await settleBatch(sinks, item, {
        signal,
        random: () => 0,
        observe: () => undefined,
        at: "now",
      });
      if ("code" in settled) throw new Error(settled.message);
      return settled;
    },
    close: () => guest.close(),
  };
}

test("a version one sink rejects is a dead letter of that sink, which keeps the version before; the other has the new one", async () => {
  const release = await openRelease();
  const [table, search] = [await release.sink("table"), await release.sink("search")];
  const records = [1, 2, 3].map((delay, offset) => recordOf(offset, { delay }));
  const settled = await release.settle([table, rejecting(search, [1, 2])], ...records);
  expect(settled).toHaveLength(1);
  expect(settled[0]?.counts).toMatchObject({ read: 3, written: 1, deadLettered: 2 });
  expect(
    settled[0]?.deadLetters.map((letter) => [letter.offset, letter.stage, letter.reason]),
  ).toEqual([
    [2, "sink:search", "value too long"],
    [1, "sink:search", "value too long"],
  ]);
  expect([await delayIn(table), await delayIn(search)]).toEqual([[3], [1]]);
  await Promise.all([table.close(), search.close(), release.close()]);
});

test("a part that a sink rejects is missing: no part of an older version stands beside the others of its record", async () => {
  const release = await openRelease({
    apply:
      "(f) => Array.from({ length: 2 }, (_, i) => ({ ...f, distance: f.distance + i, late: false }))",
    maxParts: 2,
  });
  const table = await release.sink("parts");
  const strict = holding(
    table,
    (batch, i) => batch.offset[i] === 1 && batch.part[i] === 1 && batch.kind[i] === WRITE,
  );
  await release.settle([strict], recordOf(0, { distance: 10 }));
  expect(await release.settle([strict], recordOf(1, { distance: 20 }))).toMatchObject([
    { counts: { read: 1, deadLettered: 1 }, deadLetters: [{ offset: 1, reason: "too large" }] },
  ]);
  const rows = living(await collect(table.scan()));
  expect(rows.map((row) => [row.part, row.values?.["distance"]])).toEqual([[0, 20]]);

  const ledger = await openRowLedger();
  const row = (part: number, offset: number, json: string | null) => ({
    key: "[7]",
    part,
    version: versionOf(1024, offset, 1),
    topic: "t",
    partition: 0,
    offset,
    row: json,
  });
  ledger.expect([row(0, 0, "a"), row(1, 0, "b"), row(0, 1, "c"), row(1, 1, "d")], true);
  ledger.refuse([{ topic: "t", partition: 0, offset: 1, isWhole: false }]);
  ledger.find([{ ...row(0, 1, "c"), isOld: false }]);
  expect(await ledger.counts()).toMatchObject({ left: 1, right: 1, equal: 1, removed: 0 });
  await ledger.forget();
  ledger.refuse([{ topic: "t", partition: 0, offset: 1, isWhole: false }]);
  // A mixture of two versions is a difference.
  ledger.find([row(0, 1, "c"), row(1, 0, "b")].map((one) => ({ ...one, isOld: false })));
  expect(await ledger.counts()).toMatchObject({ left: 2, right: 2, equal: 1, changed: 1 });
  await ledger.close();
  await Promise.all([table.close(), release.close()]);
});

test("a row that is taken away counts once, also where a sink rejects another record of its batch", async () => {
  const release = await openRelease();
  const table = await release.sink("retracted");
  const strict = holding(table, (batch, i) => batch.offset[i] === 2);
  const tombstone = { ...recordOf(1), key: Buffer.from("8"), value: null };
  await release.settle([strict], recordOf(0, { id: 8 }));
  expect(await release.settle([strict], tombstone, recordOf(2))).toMatchObject([
    { counts: { read: 2, written: 1, deadLettered: 1, retracted: 1 } },
  ]);
  await Promise.all([table.close(), release.close()]);
});

async function delayIn(sink: Sink): Promise<unknown[]> {
  return living(await collect(sink.scan())).map((row) => row.values?.["delay"]);
}

test.each([
  { writesAtOnce: undefined, most: 1 },
  { writesAtOnce: 3, most: 3 },
])("a sink that takes $writesAtOnce writes at once gets no more, begun in order", async (taken) => {
  const { writesAtOnce, most } = taken;
  const sink = writesAtOnce === undefined ? {} : { writesAtOnce };
  const turns = openTurns();
  const begun: number[] = [];
  const open = { now: 0, most: 0 };
  const work = async (n: number): Promise<number> => {
    begun.push(n);
    open.most = Math.max(open.most, ++open.now);
    await new Promise((resolve) => setImmediate(resolve));
    open.now--;
    if (n === 2) throw new Error("a write failed");
    return n;
  };
  const done = await Promise.allSettled([0, 1, 2, 3, 4, 5].map((n) => turns(sink, () => work(n))));
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  expect(open).toEqual({ now: 0, most });
  // One that fails holds none of the others up.
  expect(done.map(({ status }) => status === "fulfilled")).toEqual([1, 1, 0, 1, 1, 1].map(Boolean));
});
