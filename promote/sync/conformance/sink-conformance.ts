import * as fc from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { Sink, StoredRow } from "../ports.ts";
import {
  batchOf,
  CONTRACT,
  contents,
  newest,
  NULL_NOTE,
  retracted,
  stored,
  WIDE_NOTE,
  WIDER,
  write,
  type Effect,
} from "./sink-effects.ts";
import type { Skips } from "./source-conformance.ts";
import { versionOf } from "../order/version.ts";

/** What an adapter brings to the suite: a place that outlives the sink, empty at first. */
export type SinkHarness = {
  open(): Promise<Sink>;
  close(): Promise<void>;
  /** What the sink cannot say of a write, because it writes without reading. The final state is held to all the same. */
  silentOn?: readonly ("stale" | "retracted" | "tombstones")[];
};

/** What the suite expects to hear, less what the sink is silent on. */
type Tells = {
  kinds(kinds: string[]): string[];
  retracted(told: boolean[]): boolean[];
  tombstones: boolean;
};

/** The conformance suite of the `Sink` port. Call it inside a `describe`. */
export function sinkConformance(makeHarness: () => Promise<SinkHarness>, skips: Skips = {}): void {
  const check = (
    name: string,
    body: (open: () => Promise<Sink>, tells: Tells) => Promise<void>,
  ): void => {
    test.skipIf(skips[name] !== undefined)(name, async () => {
      const harness = await makeHarness();
      const isSilent = (on: "stale" | "retracted" | "tombstones"): boolean =>
        harness.silentOn?.includes(on) ?? false;
      const tells: Tells = {
        kinds: (kinds) => (isSilent("stale") ? kinds.map(() => "written") : kinds),
        retracted: (told) => (isSilent("retracted") ? told.map(() => false) : told),
        tombstones: !isSilent("tombstones"),
      };
      const open = async (): Promise<Sink> => {
        const sink = await harness.open();
        expect(await sink.prepare(CONTRACT)).toBeUndefined();
        return sink;
      };
      try {
        await body(open, tells);
      } finally {
        await harness.close();
      }
    });
  };
  check("writes rows, and they are there for the next process", async (open) => {
    const sink = await open();
    expect(
      await write(
        sink,
        { id: 1, offset: 0, note: "one" },
        { id: 2, offset: 1, note: "a note of more than twelve bytes, ünïcode" },
      ),
    ).toEqual(["written", "written"]);
    expect(await sink.count()).toBe(2);
    await sink.close();
    const again = await open();
    expect(await contents(again)).toEqual([
      [1, 0, "one"],
      [2, 0, "a note of more than twelve bytes, ünïcode"],
    ]);
    await again.close();
  });

  check("the newer version wins, whichever comes first", async (open, tells) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 5, note: "new" });
    expect(await write(sink, { id: 1, offset: 3, note: "old" })).toEqual(tells.kinds(["stale"]));
    expect(await write(sink, { id: 1, offset: 7, note: "newer" })).toEqual(["written"]);
    expect(await contents(sink)).toEqual([[1, 0, "newer"]]);
    await sink.close();
  });

  check("a later epoch beats any offset of an earlier one", async (open, tells) => {
    const sink = await open();
    await write(sink, { id: 1, epoch: 1025, offset: 1, note: "later epoch" });
    expect(await write(sink, { id: 1, epoch: 1024, offset: 999, note: "earlier epoch" })).toEqual(
      tells.kinds(["stale"]),
    );
    expect(await contents(sink)).toEqual([[1, 0, "later epoch"]]);
    await sink.close();
  });

  check("the same write again is written, not stale", async (open) => {
    const sink = await open();
    const effects = [
      { id: 1, offset: 4, note: "x" },
      { id: 2, offset: 5, note: null },
    ];
    await write(sink, ...effects);
    expect(await write(sink, ...effects)).toEqual(["written", "written"]);
    expect(await contents(sink)).toEqual([[1, 0, "x"]]);
    await sink.close();
  });

  check(
    "a clear takes the row away and says so, also when it is delivered again",
    async (open, tells) => {
      const sink = await open();
      await write(sink, { id: 1, offset: 0, note: "x" });
      const clear = batchOf([
        { id: 1, offset: 1, note: null },
        { id: 9, offset: 2, note: null },
      ]);
      expect(retracted(await sink.write(clear))).toEqual(tells.retracted([true, false]));
      expect(retracted(await sink.write(clear))).toEqual(tells.retracted([true, false]));
      expect(await sink.count()).toBe(0);
      await sink.close();
    },
  );

  check(
    "a clear keeps its version: an older write arriving late does not bring the row back, also in a later process",
    async (open, tells) => {
      const sink = await open();
      await write(sink, { id: 1, offset: 1, note: "x" });
      await write(sink, { id: 1, offset: 9, note: null }, { id: 2, offset: 10, note: null });
      await sink.close();
      const again = await open();
      expect(
        await write(again, { id: 1, offset: 8, note: "late" }, { id: 2, offset: 8, note: "late" }),
      ).toEqual(tells.kinds(["stale", "stale"]));
      expect(await contents(again)).toEqual([]);
      expect(await write(again, { id: 1, offset: 11, note: "back" })).toEqual(["written"]);
      expect(await contents(again)).toEqual([[1, 0, "back"]]);
      await again.close();
    },
  );

  check("parts of one key are rows of their own", async (open) => {
    const sink = await open();
    await write(
      sink,
      { id: 1, part: 0, offset: 0, note: "a" },
      { id: 1, part: 1, offset: 0, note: "b" },
    );
    await write(
      sink,
      { id: 1, part: 0, offset: 1, note: "a2" },
      { id: 1, part: 1, offset: 1, note: null },
    );
    expect(await contents(sink)).toEqual([[1, 0, "a2"]]);
    await sink.close();
  });

  check("outcomes come in the order of the operations", async (open, tells) => {
    const sink = await open();
    await write(sink, { id: 2, offset: 50, note: "held" }, { id: 4, offset: 50, note: null });
    const mixed = [1, 2, 3, 4, 5].map((id) => ({ id, offset: 40, note: `n${id}` }));
    expect(await write(sink, ...mixed)).toEqual(
      tells.kinds(["written", "stale", "written", "stale", "written"]),
    );
    expect(await contents(sink)).toEqual([
      [1, 0, "n1"],
      [2, 0, "held"],
      [3, 0, "n3"],
      [5, 0, "n5"],
    ]);
    await sink.close();
  });

  check("rows keep the version and position they came from", async (open, tells) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 41, note: null }, { id: 2, offset: 42, note: "x" });
    const position = { part: 0, topic: "t", partition: 3 };
    const tombstone: StoredRow = {
      ...position,
      key: [1],
      version: versionOf(1024, 41, 0),
      offset: 41,
      values: null,
    };
    const row: StoredRow = {
      ...position,
      key: [2],
      version: versionOf(1024, 42, 1),
      offset: 42,
      values: { id: 2, note: "x" },
    };
    expect(await stored(sink)).toEqual(tells.tombstones ? [tombstone, row] : [row]);
    await sink.close();
  });

  check(
    "a batch of several partitions: each row keeps its own, whatever happens to its neighbours",
    async (open, tells) => {
      const sink = await open();
      await write(sink, { id: 2, offset: 9, note: "held", partition: 1 });
      expect(
        await write(
          sink,
          { id: 1, offset: 5, note: "n1", partition: 7 },
          { id: 2, offset: 5, note: "late", partition: 0 },
          { id: 3, offset: 6, note: "n3", partition: 0 },
          { id: 4, offset: 6, note: "n4", partition: 7 },
          { id: 5, offset: 8, note: "n5" },
        ),
      ).toEqual(tells.kinds(["written", "stale", "written", "written", "written"]));
      const rows = await stored(sink);
      expect(
        rows.map((row) => [row.key[0], row.topic, row.partition, row.offset, row.values?.["note"]]),
      ).toEqual([
        [1, "t", 7, 5, "n1"],
        [2, "t", 1, 9, "held"],
        [3, "t", 0, 6, "n3"],
        [4, "t", 7, 6, "n4"],
        [5, "t", 3, 8, "n5"],
      ]);
      await sink.close();
    },
  );

  check("a null takes the place of an earlier value", async (open) => {
    const sink = await open();
    await write(sink, { id: 1, offset: 0, note: "x" }, { id: 2, offset: 1, note: "y" });
    await write(sink, { id: 1, offset: 2, note: NULL_NOTE });
    expect(await contents(sink)).toEqual([
      [1, 0, null],
      [2, 0, "y"],
    ]);
    await write(sink, { id: 1, offset: 3, note: "z" });
    expect(await contents(sink)).toEqual([
      [1, 0, "z"],
      [2, 0, "y"],
    ]);
    await sink.close();
  });

  check("plans what prepare will do, and nothing once it is done", async (open) => {
    const sink = await open();
    expect(unwrap(await sink.plan(CONTRACT))).toEqual([]);
    const plan = unwrap(await sink.plan(WIDER));
    expect(plan.length).toBeGreaterThan(0);
    expect(await sink.prepare(WIDER)).toBeUndefined();
    expect(unwrap(await sink.plan(WIDER))).toEqual([]);
    await sink.close();
  });

  check(
    "a column added to the contract is there for new rows and null in old ones",
    async (open) => {
      const sink = await open();
      await write(sink, { id: 1, offset: 0, note: "x" });
      expect(await sink.prepare(WIDER)).toBeUndefined();
      const rows = await stored(sink);
      expect(rows.map((row) => row.values)).toEqual([{ id: 1, note: "x", Note: null }]);
      await sink.close();
    },
  );

  check(
    "a row of an earlier contract that comes back takes the place of a wider one, whole",
    async (open) => {
      const sink = await open();
      expect(await sink.prepare(WIDER)).toBeUndefined();
      const wide = [1, 2].map((id): Effect => ({ id, offset: id, note: "wide" }));
      await sink.write(batchOf(wide, WIDER));
      expect(await sink.prepare(CONTRACT)).toBeUndefined();
      await write(sink, { id: 1, offset: 3, note: "narrow" });
      expect(await contents(sink)).toEqual([
        [1, 0, "narrow"],
        [2, 0, "wide"],
      ]);
      expect(await sink.prepare(WIDER)).toBeUndefined();
      const rows = await stored(sink);
      expect(rows.map((row) => row.values)).toEqual([
        { id: 1, note: "narrow", Note: null },
        { id: 2, note: "wide", Note: WIDE_NOTE },
      ]);
      await sink.close();
    },
  );

  check("of writes side by side, as many as it takes, the newest is left", async (open) => {
    const sink = await open();
    const count = sink.writesAtOnce ?? 1;
    const ids = Array.from({ length: 40 }, (_, id) => id);
    const batches = Array.from({ length: count }, (_, n) =>
      batchOf(
        ids.map((id): Effect => {
          const offset = (n + id) % count;
          return { id, offset, note: offset === count - 1 ? "newest" : "older" };
        }),
      ),
    );
    const outcomes = await Promise.all(batches.map((batch) => sink.write(batch)));
    const kinds = new Set(outcomes.flat().map(({ kind }) => kind));
    expect(kinds.difference(new Set(["written", "stale"]))).toEqual(new Set());
    expect(await contents(sink)).toEqual(ids.map((id) => [id, 0, "newest"]));
    await sink.close();
  });

  check(
    "whatever the order, batches and repetitions, the newest version of every key and part is left",
    async (open) => {
      const effect = fc.record({
        id: fc.integer({ min: 1, max: 6 }),
        part: fc.integer({ min: 0, max: 1 }),
        epoch: fc.constantFrom(1024, 1025),
        offset: fc.integer({ min: 0, max: 30 }),
      });
      const sink = await open();
      let round = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(effect, { minLength: 1, maxLength: 40 }),
          fc.integer({ min: 1, max: 9 }),
          async (drawn, size) => {
            // A version says what is written: the same one twice is the same effect. Each round has ids of its own.
            const base = ++round * 10;
            const effects = drawn.map((e): Effect => ({
              ...e,
              id: base + e.id,
              note: e.offset % 3 === 0 ? null : `${e.epoch}/${e.offset}`,
            }));
            for (let from = 0; from < effects.length; from += size)
              await sink.write(batchOf(newest(effects.slice(from, from + size))));
            const wanted = newest(effects)
              .filter((e) => e.note !== null)
              .map((e) => [e.id, e.part ?? 0, e.note]);
            const stored = (await contents(sink)).filter(
              ([id]) => Number(id) > base && Number(id) < base + 10,
            );
            expect(stored).toEqual(
              wanted.toSorted((a, b) => Number(a[0]) - Number(b[0]) || Number(a[1]) - Number(b[1])),
            );
          },
        ),
        { numRuns: 30 },
      );
      await sink.close();
    },
  );
}
