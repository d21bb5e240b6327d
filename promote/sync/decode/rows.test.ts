import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { SourceRecord } from "../ports.ts";
import { textOf, textsOf } from "./rows.ts";

const value = fc.oneof(
  { weight: 4, arbitrary: fc.string().map((text) => Buffer.from(text)) },
  fc.string({ unit: "grapheme" }).map((text) => Buffer.from(text)),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.constant(null),
  // Some alone, some only with others, are too large for what is made one string.
  fc.integer({ min: 20_000, max: 80_000 }).map((length) => Buffer.alloc(length, "x")),
  fc.integer({ min: 20_000, max: 80_000 }).map((length) => Buffer.alloc(length, "é")),
);

test("every value's text is that of its own bytes, whatever its neighbours are and in whatever order one asks", () => {
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 20 }),
      fc.infiniteStream(fc.nat()),
      (values, order) => {
        const records = values.map((bytes, offset): SourceRecord => {
          return { offset, timestampMs: 0, key: null, headers: [], value: bytes };
        });
        const texts = textsOf(records);
        const expected = values.map((bytes) => (bytes === null ? undefined : textOf(bytes)));
        expect(values.map((_, i) => texts(i))).toEqual(expected);
        for (let n = 0; n < values.length; n++) {
          const at = Number(order.next().value) % values.length;
          expect(texts(at)).toBe(expected[at]);
        }
      },
    ),
    { numRuns: 200 },
  );
});
