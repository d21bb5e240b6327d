import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FIRST_EPOCH,
  partsOfVersion,
  TRANSITION_SPAN,
  transitionVersionWriter,
  versionOf,
  versionWriter,
} from "./version.ts";

const epoch = fc.integer({ min: FIRST_EPOCH, max: 2 ** 21 - 1 });
const offset = fc.integer({ min: 0, max: 2 ** 41 - 1 });
const kind = fc.constantFrom(0 as const, 1 as const);

test("a version gives back its epoch, offset and kind, and fits 63 bits", () => {
  fc.assert(
    fc.property(epoch, offset, kind, (e, o, k) => {
      const version = versionOf(e, o, k);
      expect(partsOfVersion(version)).toEqual({ epoch: e, offset: o, kind: k });
      expect(version).toBeLessThan(2n ** 63n);
      const column = new BigInt64Array(2);
      versionWriter(column)(1, e, o, k);
      expect(column[1]).toBe(version);
    }),
  );
});

test("versions order by epoch, then offset, then write over clear", () => {
  fc.assert(
    fc.property(fc.tuple(epoch, offset, kind), fc.tuple(epoch, offset, kind), (a, b) => {
      const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
      const versions = versionOf(...a) - versionOf(...b);
      expect(Math.sign(order)).toBe(versions > 0n ? 1 : versions < 0n ? -1 : 0);
    }),
  );
});

const AROUND = Date.parse("2026-11-26T12:00:00Z");
const start = fc.integer({ min: FIRST_EPOCH + 1, max: 2 ** 21 - 1 - TRANSITION_SPAN });

function timed(
  transition: number,
  { timestampMs, offset, kind: k = 1 }: { timestampMs: number; offset: number; kind?: 0 | 1 },
  origin = 0,
): bigint {
  const column = new BigInt64Array(2);
  const of = { transition, untilMs: AROUND, origin };
  transitionVersionWriter(column)(1, of, timestampMs, offset, k);
  return column[1] ?? 0n;
}

describe("a transition", () => {
  const anyTime = fc.oneof(
    fc.integer({ min: AROUND - 1e6, max: AROUND + 1e6 }),
    fc.integer({ min: 0, max: 2 * AROUND }),
    fc.constantFrom(
      -1,
      -(2 ** 62),
      2 ** 62,
      0,
      AROUND - 2 ** 29,
      AROUND - 2 ** 29 - 1,
      AROUND + 0.5,
    ),
  );

  test("orders records of one partition and one time by offset, however many they are, then by kind", () => {
    fc.assert(
      fc.property(start, anyTime, offset, offset, offset, (e, timestampMs, a, b, origin) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        fc.pre(low < high);
        const [first, second] = [low, high].map((o) =>
          timed(e, { timestampMs, offset: o }, origin),
        );
        expect(first).toBeLessThan(second ?? 0n);
        expect(timed(e, { timestampMs, offset: low, kind: 0 }, origin)).toBe((first ?? 0n) - 1n);
      }),
    );
  });

  test.each([8191, 8192, 2 ** 22, 2 ** 23 - 1, 2 ** 23, 2 ** 32, 2 ** 41 - 1])(
    "orders the record at offset %d after the one before it, both of one millisecond",
    (at) => {
      for (const timestampMs of [AROUND, AROUND + 2 ** 40, Date.parse("2001-04-01")])
        expect(timed(2000, { timestampMs, offset: at })).toBe(
          timed(2000, { timestampMs, offset: at - 1 }) + 2n,
        );
    },
  );

  test("orders records of different partitions by time, within what the distance of their offsets allows", () => {
    const ways = [
      { from: AROUND - 2 ** 29, to: AROUND + 2 ** 29 - 2 ** 18 - 1, offsets: 2 ** 23 },
      { from: AROUND - 2 ** 41 + 2 ** 29, to: AROUND - 2 ** 29, offsets: 2 ** 12 },
    ];
    for (const { from, to, offsets } of ways) {
      const time = fc.integer({ min: from, max: to });
      const distance = fc.integer({ min: 1 - offsets, max: offsets - 1 });
      fc.assert(
        fc.property(start, time, time, distance, (e, a, b, apart) => {
          fc.pre(a < b);
          const at = 2 ** 40;
          const older = timed(e, { timestampMs: a, offset: at }, at);
          expect(older).toBeLessThan(timed(e, { timestampMs: b, offset: at + apart, kind: 0 }, at));
        }),
      );
    }
  });

  test("lies between the epochs before and after it, and gives back numbers of its own", () => {
    fc.assert(
      fc.property(
        start,
        anyTime,
        offset,
        offset,
        kind,
        offset,
        (e, timestampMs, o, origin, k, other) => {
          const version = timed(e, { timestampMs, offset: o, kind: k }, origin);
          expect(version).toBeGreaterThan(versionOf(e - 1, other, 1));
          expect(version).toBeLessThan(versionOf(e + TRANSITION_SPAN, other, 0));
          expect(version).toBeLessThan(2n ** 63n);
          const parts = partsOfVersion(version);
          expect(versionOf(parts.epoch, parts.offset, parts.kind)).toBe(version);
          expect(parts.epoch - e).toBeGreaterThanOrEqual(0);
          expect(parts.epoch - e).toBeLessThan(TRANSITION_SPAN);
        },
      ),
    );
  });

  test("that would reach beyond 63 bits is refused", () => {
    const last = 2 ** 21 - TRANSITION_SPAN;
    expect(timed(last, { timestampMs: 2 ** 62, offset: 2 ** 41 - 1 })).toBeLessThan(2n ** 63n);
    expect(() => timed(last + 1, { timestampMs: 0, offset: 0 })).toThrow(RangeError);
  });
});

test("the first epoch is above any wall clock in microseconds for a century", () => {
  expect(versionOf(FIRST_EPOCH, 0, 0)).toBeGreaterThan(BigInt(Date.parse("2100-01-01")) * 1000n);
});

test.each([
  [1023, 0],
  [1024, -1],
  [1024, 2 ** 41],
  [2 ** 21, 0],
])("epoch %d with offset %d is refused", (e, o) => {
  expect(() => versionOf(e, o, 1)).toThrow(RangeError);
});
