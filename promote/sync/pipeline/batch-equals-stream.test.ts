import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { joinDecoded, openJsonDecoder } from "../decode/decode.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import { collect, firstEpoch, freshPlace, living, specOf } from "../fixture.ts";
import { openReleaseGuest } from "../guest/guest.ts";
import type { SourceRecord } from "../ports.ts";
import { settleBatch } from "./settle-batch.ts";
import type { Portion } from "../order/stretches.ts";

const place = freshPlace();
const directory = mkdtempSync(join(tmpdir(), "penstock-law-"));
// A delay of n makes n parts; none below zero or for 0; 3 is one too many, an error.
const spec = await specOf(place, {
  maxParts: 2,
  apply:
    "(f) => f.delay < 0 ? null : Array.from({ length: f.delay }, (_, i) => ({ ...f, distance: i, late: false }))",
});
const guest = openReleaseGuest(spec, place);
afterAll(async () => {
  await guest.close();
  place.remove();
  rmSync(directory, { recursive: true, force: true });
});

/** A version of a key: a delay, a cancellation, or a broken record. */
type Version = number | "cancelled" | "broken";
type Step = { key: number; version: Version };

const version = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -1, max: 3 }) },
  fc.constant<Version>("cancelled"),
  fc.constant<Version>("broken"),
);
const histories = fc.array(fc.array(version, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 6,
});
const choices = fc.infiniteStream(fc.nat({ max: 1_000_000 }));

let runs = 0;

test(
  "whatever the order across keys, the batches, what partitions they are of, repeats and redeliveries, both sinks end in the newest version of every key",
  { timeout: 180_000 },
  async () => {
    const contract = { key: unwrap(openJsonDecoder(spec)).key, columns: spec.output, maxParts: 2 };
    const { decode } = unwrap(openJsonDecoder(spec));
    await fc.assert(
      fc.asyncProperty(histories, choices, async (drawn, stream) => {
        const choose = (below: number): number => Number(stream.next().value) % below;
        const records = recordsOf(interleave(drawn, choose));
        const sinks = await Promise.all(
          ["a", "b"].map((name) =>
            openDuckdbSink({ name, path: join(directory, `${++runs}-${name}.duckdb`) }),
          ),
        );
        for (const sink of sinks) expect(await sink.prepare(contract)).toBeUndefined();
        const signal = new AbortController().signal;
        const dead = new Set<number>();
        const partitionsOf = new Map<number, Set<number>>();
        let rewinds = 3;
        for (let from = 0; from < records.length;) {
          const batch = records.slice(from, from + 1 + choose(7));
          const portions = portionsOf(batch, choose);
          for (const { records: some, stretch } of portions)
            for (const { offset } of some)
              partitionsOf.set(
                offset,
                (partitionsOf.get(offset) ?? new Set()).add(stretch.partition),
              );
          const decoded = joinDecoded(
            portions.map(({ records: some, stretch }) => decode(some, stretch.partition)),
          );
          const chunks = unwrap(await guest.run(decoded, signal));
          const item = {
            portions,
            contract,
            records: batch,
            decoded,
            chunks,
            sourceMap: undefined,
          };
          const settled = await settleBatch(sinks, item, {
            signal,
            random: () => 0,
            observe: () => undefined,
            at: "",
          });
          if ("code" in settled) throw new Error(settled.message);
          expect(settled.map(({ counts }) => counts.read)).toEqual(
            portions.map((portion) => portion.records.length),
          );
          for (const [n, { counts, deadLetters }] of settled.entries()) {
            expect(counts.read).toBe(
              counts.written + counts.filtered + counts.stale + counts.deadLettered,
            );
            expect(counts.deadLettered).toBe(deadLetters.length);
            const own = portions[n];
            const offsets = own?.records.filter(isBad).map(({ offset }) => offset);
            expect(deadLetters.map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual(
              offsets,
            );
            for (const letter of deadLetters) {
              expect(letter.partition).toBe(own?.stretch.partition);
              dead.add(letter.offset);
            }
          }
          from += batch.length;
          if (rewinds > 0 && choose(3) === 0) {
            rewinds--;
            from = choose(from + 1);
          }
        }
        const wanted = expected(drawn);
        for (const sink of sinks) {
          const rows = living(await collect(sink.scan()));
          for (const { partition, offset } of rows)
            expect(partitionsOf.get(offset)?.has(partition)).toBe(true);
          expect(
            rows.map((row) => [
              row.key[0],
              row.part,
              row.values?.["delay"],
              row.values?.["distance"],
            ]),
          ).toEqual(wanted);
          await sink.close();
        }
        expect(dead.size).toBe(records.filter((record) => isBad(record)).length);
      }),
      { numRuns: 40 },
    );
  },
);

/** Cuts a batch into what came of several partitions. Offsets are the topic's own here, so that the newest version is known whatever the partition. */
function portionsOf(batch: readonly SourceRecord[], choose: (below: number) => number): Portion[] {
  const portions: Portion[] = [];
  for (let from = 0; from < batch.length;) {
    const to = Math.min(batch.length, from + 1 + choose(4));
    const stretch = { topic: "t", incarnation: "i", partition: choose(3) };
    portions.push({ stretch, epoch: firstEpoch(stretch), records: batch.slice(from, to) });
    from = to;
  }
  return portions;
}

/** Merges the keys' histories in some order, each in its own; sometimes says a version twice. */
function interleave(drawn: readonly Version[][], choose: (below: number) => number): Step[] {
  const rest = drawn.map((history) => [...history]);
  const steps: Step[] = [];
  for (;;) {
    const open = rest.flatMap((history, key) => (history.length > 0 ? [key] : []));
    const key = open[choose(Math.max(1, open.length))];
    if (key === undefined) return steps;
    const history = rest[key] ?? [];
    const next = choose(5) === 0 ? history[0] : history.shift();
    if (next !== undefined) steps.push({ key, version: next });
  }
}

function recordsOf(steps: readonly Step[]): SourceRecord[] {
  return steps.map(({ key, version: v }, offset) => {
    const value = {
      id: key,
      date: "2001-04-01T00:00:00",
      delay: v === "broken" ? "N/A" : v,
      distance: 0,
      origin: "A",
      destination: "B",
    };
    return {
      offset,
      timestampMs: 0,
      key: Buffer.from(String(key)),
      value: v === "cancelled" ? null : Buffer.from(JSON.stringify(value)),
      headers: [],
    };
  });
}

function isBad(record: SourceRecord): boolean {
  const text = Buffer.from(record.value ?? []).toString();
  return text.includes("N/A") || text.includes('"delay":3');
}

/** The law, said without any of the code under test. */
function expected(drawn: readonly Version[][]): unknown[] {
  return drawn.flatMap((history, key) => {
    const last = history.findLast((v) => v !== "broken" && v !== 3);
    const parts = typeof last === "number" ? Math.max(0, last) : 0;
    return Array.from({ length: parts }, (_, part) => [key, part, last, part]);
  });
}
