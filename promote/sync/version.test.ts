import * as fc from "fast-check";
import { expect, test } from "vitest";
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

test("a transition epoch orders by time, then sequence, then kind, between the epochs before and after it", () => {
  const time = fc.integer({ min: 0, max: 2 ** 41 - 1 });
  const sequence = fc.integer({ min: 0, max: 8191 });
  const start = fc.integer({ min: FIRST_EPOCH + 1, max: 2 ** 21 - 1 - TRANSITION_SPAN });
  const record = fc.tuple(time, sequence, kind);
  fc.assert(
    fc.property(start, record, record, offset, (e, a, b, o) => {
      const column = new BigInt64Array(2);
      const write = transitionVersionWriter(column);
      write(0, e, ...a);
      write(1, e, ...b);
      const [first = 0n, second = 0n] = column;
      const order = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
      expect(Math.sign(order)).toBe(first > second ? 1 : first < second ? -1 : 0);
      expect(first).toBeGreaterThan(versionOf(e - 1, o, 1));
      expect(first).toBeLessThan(versionOf(e + TRANSITION_SPAN, o, 0));
    }),
  );
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
