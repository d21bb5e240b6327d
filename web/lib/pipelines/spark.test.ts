import { expect, test } from "vitest";
import { spark } from "./spark.ts";

const box = { width: 100, height: 21, points: 5 };

test("the newest value stands at the right edge, the largest near the top, zero at the floor", () => {
  expect(spark([0, 10], box).line).toBe("M75 20L100 2");
});

test("more values than points show the newest", () => {
  expect(spark([9, 9, 9, 0, 0, 0, 0, 0], box).line).toBe("M0 20L25 20L50 20L75 20L100 20");
});

test("nothing but zeros is a flat line, no value is no line", () => {
  expect(spark([0, 0], box).line).toBe("M75 20L100 20");
  expect(spark([], box).line).toBe("");
});
