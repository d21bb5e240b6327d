import { expect, test } from "vitest";
import { fared } from "./minutes.ts";

const row = (expectation: string, minute: number, checked: number, failed: number) => ({
  expectation,
  at: new Date(minute * 60_000).toISOString(),
  checked,
  failed,
  example: failed > 0 ? `offset ${minute}: bad` : null,
  isCutShort: false,
});

test("an expectation is summed over the minutes that are shown, with the newest example", () => {
  const [range] = fared(
    [{ name: "range", severity: "deadLetter" }],
    [row("range", 7, 100, 9), row("range", 9, 100, 2), row("range", 10, 50, 1)],
    3,
  );
  expect(range).toMatchObject({
    severity: "deadLetter",
    checked: 150,
    failed: 3,
    example: "offset 10: bad",
  });
  expect(range?.minutes.map((minute) => minute?.failed)).toEqual([undefined, 2, 1]);
});

test("each has the minutes up to its own newest, and its example is of a failure where there is one", () => {
  const [volume, range] = fared(
    [
      { name: "volume", severity: "halt" },
      { name: "range", severity: "flag" },
    ],
    [
      row("volume", 5, 100, 1),
      { ...row("volume", 6, 0, 0), example: "offset 7: not counted", isCutShort: true },
      row("range", 500, 10, 0),
    ],
    3,
  );
  expect(volume).toMatchObject({ failed: 1, example: "offset 5: bad", isCutShort: true });
  expect(range).toMatchObject({ checked: 10, failed: 0 });
});

test("a rule nothing was checked by yet is there, and one that is asked for no more as well", () => {
  const all = fared([{ name: "new", severity: "flag" }], [row("old", 1, 5, 0)], 2);
  expect(all.map(({ name, severity, checked }) => [name, severity, checked])).toEqual([
    ["new", "flag", 0],
    ["old", undefined, 5],
  ]);
});
