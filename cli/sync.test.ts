import { expect, test } from "vitest";
import { redraw } from "./sync.ts";

test("what was drawn is drawn over, also where a line takes several rows of the terminal, or there are fewer lines than before", () => {
  const written: string[] = [];
  const terminal = { columns: 10, write: (text: string) => written.push(text) };
  const rows = redraw(["a".repeat(25), "b".repeat(10), ""], 0, terminal);
  expect(rows).toBe(5);
  expect(redraw(["c"], rows, terminal)).toBe(1);
  expect(written).toEqual([`${"a".repeat(25)}\n${"b".repeat(10)}\n\n`, "\u001b[5A\u001b[Jc\n"]);
});
