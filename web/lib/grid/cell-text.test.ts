import {
  dateDay,
  decimal,
  float64,
  int64,
  list,
  timestamp,
  TimeUnit,
  utf8,
  type DataType,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { bareText, cellText, decimalsNeeded, isNumeric } from "./cell-text.ts";

const micros = timestamp(TimeUnit.MICROSECOND);

describe("a cell's text", () => {
  const cases: [what: string, value: unknown, type: DataType, text: string][] = [
    ["an integer beyond 2^53 is exact", 9_007_199_254_740_993n, int64(), "9,007,199,254,740,993"],
    ["a negative number has a true minus sign", -1_234n, int64(), "−1,234"],
    ["a timestamp on the minute", 978_307_620_000_000n, micros, "2001-01-01 00:07"],
    ["a timestamp with seconds", 978_307_621_000_000n, micros, "2001-01-01 00:07:01"],
    ["a timestamp with microseconds", 978_307_620_000_123n, micros, "2001-01-01 00:07:00.000123"],
    ["a timestamp before 1970", -1_000_000n, micros, "1969-12-31 23:59:59"],
    ["a timestamp with a zone", 0n, timestamp(TimeUnit.MICROSECOND, "UTC"), "1970-01-01 00:00Z"],
    ["a date", 86_400_000, dateDay(), "1970-01-02"],
    ["a decimal keeps its zeros", 1_250n, decimal(18, 3), "1.250"],
    ["a negative decimal below one", -5n, decimal(18, 2), "−0.05"],
    ["a list", [1, 2, null], list(int64()), "[1, 2, null]"],
  ];
  test.each(cases)("%s", (_what, value, type, text) => {
    expect(cellText(value, type).text).toBe(text);
  });

  test("null, NaN and an empty text are told apart, and from values", () => {
    const odd = [null, Number.NaN, ""].map((value) => cellText(value, utf8()));
    expect(odd.map((each) => each.text)).toEqual(["null", "NaN", "“” empty"]);
    expect(odd.every((each) => each.tone === "missing")).toBe(true);
    expect(cellText("null", utf8()).tone).toBe("value");
  });

  test("floats of a column line up at the point", () => {
    const values = [1, 2.5, 10.25];
    const decimals = Math.max(...values.map(decimalsNeeded));
    expect(values.map((value) => cellText(value, float64(), decimals).text)).toEqual([
      "1.00",
      "2.50",
      "10.25",
    ]);
  });

  test("a long fraction is rounded, and says what it is in whole", () => {
    expect(cellText(0.161_290_322_580_645_16, float64())).toEqual({
      text: "0.16129",
      tone: "value",
      whole: "0.16129032258064516",
    });
    expect(cellText(-1.234_567_891e-7, float64()).text).toBe("\u22121.235e\u22127");
    expect(cellText(-1e300, float64()).text).toBe("\u22121.000e+300");
  });

  test("what is copied can be read by another program", () => {
    expect(bareText(-1_234_567n, int64())).toBe("-1234567");
    expect(bareText(-0.161_290_322_580_645_16, float64())).toBe("-0.16129032258064516");
    expect(bareText(-1_234_567_500n, decimal(18, 3))).toBe("-1234567.500");
  });
});

test("numbers stand right, all else left", () => {
  expect(["BIGINT", "UTINYINT", "DOUBLE", "DECIMAL(18,3)", "HUGEINT"].every(isNumeric)).toBe(true);
  expect(["VARCHAR", "INTERVAL", "TIMESTAMP", "BOOLEAN", "INTEGER[]"].some(isNumeric)).toBe(false);
});
