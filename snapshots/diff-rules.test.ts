import { describe, expect, test } from "vitest";
import {
  durationNanoseconds,
  exactAmount,
  formatRule,
  parseRule,
  parseRules,
} from "./diff-rules.ts";
import { unwrap } from "./problem.ts";

test.each([
  ["abs:0.01", { absolute: "0.01" }],
  ["rel:1e-6", { relative: "1e-6" }],
  ["duration:1h30m", { duration: "1h30m" }],
  ["trim, case", { trim: true, case: true }],
  ["abs:1,rel:0.5", { absolute: "1", relative: "0.5" }],
  ["nfc,set", { nfc: true, set: true }],
])("%s is read, and written as it is read", (text, rule) => {
  expect(unwrap(parseRule(text))).toEqual(rule);
  expect(unwrap(parseRule(formatRule(rule as object)))).toEqual(rule);
});

test("a column may have any name, and be named twice", () => {
  expect(unwrap(parseRules(["a=b=trim", "a=b=case", "*=abs:1", "__proto__=trim"]))).toEqual(
    Object.fromEntries([
      ["a=b", { trim: true, case: true }],
      ["*", { absolute: "1" }],
      ["__proto__", { trim: true }],
    ]),
  );
});

describe("what is no rule says what one is", () => {
  test.each([
    ["delay", "`delay` is not COLUMN=RULE."],
    ["=abs:1", "`=abs:1` is not COLUMN=RULE."],
    ["delay=round", "`round` is not a rule."],
    ["delay=constructor:1", "`constructor:1` is not a rule."],
    ["delay=abs:-1", "`abs:-1` needs a number of 0 or more."],
    ["delay=abs:", "`abs:` needs a number of 0 or more."],
    ["delay=rel:NaN", "`rel:NaN` needs a number of 0 or more."],
    ["delay=duration:5", "`duration:5` is not a duration."],
    ["delay=duration:5s foo", "`duration:5s foo` is not a duration."],
    ["delay=", "`` is not a rule."],
  ])("%s", (text, message) => {
    const parsed = parseRules([text]);
    expect(parsed).toMatchObject({ ok: false, problem: { code: "bad-tolerance", message } });
    expect(parsed.ok ? "" : parsed.problem.hint).toMatch(/abs:0\.01|abs:1e-6|rel:1e-6|duration:5s/);
  });
});

test.each([
  ["0.01", 1n, 2],
  ["1e-6", 1n, 6],
  ["1.50e1", 150n, 1],
  ["2e3", 2000n, 0],
  [".5", 5n, 1],
])("%s is exact", (text, digits, scale) => {
  expect(exactAmount(text)).toEqual({ digits, scale });
});

test.each([
  ["5s", 5_000_000_000n],
  ["250ms", 250_000_000n],
  ["1.5h", 5_400_000_000_000n],
  ["1d 2h", 93_600_000_000_000n],
  ["10ns", 10n],
])("%s lasts", (text, nanoseconds) => {
  expect(durationNanoseconds(text)).toBe(nanoseconds);
});
