import { describe, expect, test } from "vitest";
import { freshLabel, labelFault, parsePercent, parseSeed, sampleText } from "./label.ts";

describe("a label", () => {
  const cases: [string, RegExp | undefined][] = [
    ["2001q1", undefined],
    ["2001-q1_b.2", undefined],
    ["", /Give it a label/],
    ["2001 q1", /A space/],
    ["köln", /“ö”/],
    ["-x", /Begin with/],
  ];
  test.each(cases)("%j", (label, fault) => {
    const said = labelFault(label);
    if (fault) expect(said).toMatch(fault);
    else expect(said).toBeUndefined();
  });

  test("is offered fresh: the date, then numbered", () => {
    const today = new Date("2026-11-21T10:00:00Z");
    expect(freshLabel("flights", [], today)).toBe("2026-11-21");
    expect(freshLabel("flights", ["flights@2026-11-21", "flights@2026-11-21.2"], today)).toBe(
      "2026-11-21.3",
    );
  });
});

test("a sample is said as a share and its seed", () => {
  expect(sampleText(undefined)).toBe("everything");
  expect(sampleText({ fraction: 0.1, seed: 42 })).toBe("10 %, seed 42");
  expect(sampleText({ fraction: 0.0015, seed: 0 })).toBe("0.15 %, seed 0");
});

test.each([
  ["10", 0.1],
  ["10 %", 0.1],
  ["0,5", 0.005],
  ["100", 1],
  ["0", undefined],
  ["101", undefined],
  ["ten", undefined],
])("%j as a percentage", (text, share) => {
  expect(parsePercent(text)).toBe(share);
});

test.each([
  ["42", 42],
  ["0", 0],
  ["2147483647", 2_147_483_647],
  ["2147483648", undefined],
  ["4.2", undefined],
  ["forty-two", undefined],
])("%j as a seed", (text, seed) => {
  expect(parseSeed(text)).toBe(seed);
});
