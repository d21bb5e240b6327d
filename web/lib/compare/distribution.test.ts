import { describe, expect, test } from "vitest";
import type { SideProfile } from "#snapshots/diff-profile.ts";
import { commonest, distribution } from "./distribution.ts";

const box = { width: 100, height: 11 };

describe("both sides' bins in one box", () => {
  test("heights are shares of each side, so that twice the rows look the same", () => {
    const drawn = distribution(
      {
        bins: [
          { from: "0", to: "5", left: 1, right: 2 },
          { from: "5", to: "10", left: 1, right: 2 },
        ],
      },
      box,
    );
    expect(drawn?.before.map(({ x, height }) => [x, height])).toEqual([
      [0, 10],
      [50, 10],
    ]);
    expect(drawn?.after).toBe("M0 11V1H50V1H100V11");
  });

  test("a bin that neither side has is a gap on the floor", () => {
    const drawn = distribution(
      {
        bins: [
          { from: "0", to: "1", left: 3, right: 3 },
          { from: "3", to: "4", left: 3, right: 3 },
        ],
      },
      box,
    );
    expect(drawn?.after).toBe("M0 11V1H25V11H75V1H100V11");
  });

  test("dates lie on the line too, and one value fills the box", () => {
    const days = [{ from: "2001-01-01 00:00:00", to: "2001-01-03 00:00:00", left: 1, right: 0 }];
    expect(distribution({ bins: days }, box)?.before).toMatchObject([{ x: 0, height: 10 }]);
    const one = [{ from: "7", to: "7", left: 1, right: 1 }];
    expect(distribution({ bins: one }, box)?.before).toMatchObject([{ x: 0, width: 99.5 }]);
  });

  test.each([
    ["no bins", []],
    ["edges nobody can read", [{ from: "a", to: "b", left: 1, right: 1 }]],
  ])("%s: nothing is drawn", (_, bins) => {
    expect(distribution({ bins }, box)).toBeUndefined();
  });
});

test("the commonest values of either side stand together, NULL among them", () => {
  const side = (top: SideProfile["top"]): SideProfile => ({
    count: 9,
    nulls: 0,
    distinct: 3,
    min: null,
    quantiles: [],
    max: null,
    mean: null,
    top,
  });
  const left = side([
    { value: "DEN", count: 5 },
    { value: null, count: 2 },
  ]);
  const right = side([
    { value: "LAX", count: 6 },
    { value: "DEN", count: 4 },
  ]);
  expect(commonest({ left, right })).toEqual([
    { value: "LAX", left: undefined, right: 6 },
    { value: "DEN", left: 5, right: 4 },
    { value: null, left: 2, right: undefined },
  ]);
  expect(commonest({ left: null, right })).toHaveLength(2);
});
