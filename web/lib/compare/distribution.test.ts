import { expect, test } from "vitest";
import type { ColumnProfile } from "../grid/profile.ts";
import { distribution, shareTrue } from "./distribution.ts";

const box = { width: 100, height: 21 };
const profile = (more: Partial<ColumnProfile>): ColumnProfile => ({
  name: "delay",
  type: "BIGINT",
  nulls: 0,
  distinct: 2,
  min: null,
  max: null,
  bins: [],
  top: [],
  ...more,
});

test("two histograms with other edges share one scale, by rows per unit", () => {
  const before = profile({
    bins: [
      { from: "0", to: "10", count: 5 },
      { from: "10", to: "20", count: 5 },
    ],
  });
  const after = profile({ bins: [{ from: "0", to: "40", count: 20 }] });
  const drawn = distribution(before, after, box);
  expect(drawn?.before.map(({ x, height }) => [x, height])).toEqual([
    [0, 20],
    [25, 20],
  ]);
  // Twice as wide a bin holding all rows is half as tall.
  expect(drawn?.after).toBe("M0 21V11H100V21H100");
});

test("dates are binned on their own line", () => {
  const before = profile({
    bins: [{ from: "2001-01-01T00:00:00", to: "2001-01-02T00:00:00", count: 1 }],
  });
  expect(distribution(before, undefined, box)?.before).toHaveLength(1);
});

test("a boolean is two bars and the share that is true", () => {
  const before = profile({
    type: "BOOLEAN",
    top: [
      { value: "false", count: 75 },
      { value: "true", count: 25 },
    ],
  });
  expect(distribution(before, before, box)?.before.map(({ height }) => Math.round(height))).toEqual(
    [20, 7],
  );
  expect(shareTrue(before)).toBe(0.25);
  expect(shareTrue(profile({}))).toBeUndefined();
});

test("nothing to draw is nothing drawn", () => {
  expect(distribution(undefined, undefined, box)).toBeUndefined();
});
