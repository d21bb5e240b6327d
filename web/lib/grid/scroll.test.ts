import { describe, expect, test } from "vitest";
import {
  barHeight,
  revealing,
  scrolled,
  settled,
  tallestPx,
  visible,
  type Extent,
} from "./scroll.ts";

const small: Extent = { rows: 1_000, rowPx: 28, viewPx: 280 };
const large: Extent = { rows: 1_477_912, rowPx: 28, viewPx: 280 };
const fullOf = ({ rows, rowPx, viewPx }: Extent) => rows * rowPx - viewPx;

describe("the scroll bar of a table", () => {
  test("is as tall as the rows until the browsers' cap, then stays", () => {
    expect(barHeight(small)).toBe(28_000);
    expect(barHeight(large)).toBe(tallestPx);
  });

  test("a table that fits scrolls as the browser does", () => {
    expect(scrolled({ top: 0, bar: 0 }, 5_000, small)).toEqual({ top: 5_000, bar: 5_000 });
  });

  test("in a larger one a wheel step moves the rows by just that step", () => {
    const at = settled(20_000_000, large);
    expect(scrolled(at, at.bar + 100, large).top).toBe(at.top + 100);
    expect(scrolled(at, at.bar - 100, large).top).toBe(at.top - 100);
  });

  test("a dragged thumb reaches every part, and both ends exactly", () => {
    const barRoom = tallestPx - large.viewPx;
    expect(scrolled({ top: 0, bar: 0 }, barRoom / 2, large).top).toBeCloseTo(fullOf(large) / 2, 0);
    expect(scrolled({ top: 0, bar: 0 }, barRoom, large).top).toBe(fullOf(large));
    expect(scrolled({ top: 9_000, bar: 5_000 }, 0, large).top).toBe(0);
  });

  test("any number of wheel steps with rests between them walks through all rows without a gap", () => {
    let at = settled(0, large);
    let steps = 0;
    for (; steps < 400; steps += 1) {
      const next = scrolled(at, at.bar + 120, large);
      expect(next.top - at.top).toBe(120);
      at = settled(next.top, large);
    }
    expect(at.top).toBe(400 * 120);
  });
});

describe("what is drawn", () => {
  test("is the view and a little more, within the table", () => {
    expect(visible(0, small)).toEqual({ first: 0, last: 16 });
    expect(visible(fullOf(small), small)).toEqual({ first: 984, last: 999 });
    expect(visible(0, { ...small, rows: 3 })).toEqual({ first: 0, last: 2 });
  });

  test("a row is brought into view by the least movement", () => {
    expect(revealing(5, 0, small)).toBe(0);
    expect(revealing(10, 0, small)).toBe(28);
    expect(revealing(2, 280, small)).toBe(56);
  });
});
