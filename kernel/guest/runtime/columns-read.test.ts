import { expect, test } from "vitest";
import { columnsRead } from "./columns-read.ts";

const columns = ["delay", "date", "late", "$x"];

/** undefined: it might look at any column. */
const cases: [text: string, columns: string[] | undefined][] = [
  ["(row) => row.delay", ["delay"]],
  ["row => (row.late ? 1 : 0)", ["late"]],
  ["(r) => r\n  .late && r?.delay", ["delay", "late"]],
  ["($) => $.$x + $.delay", ["delay", "$x"]],
  ["function (row) { return row.date; }", ["date"]],
  ["function score(row) { return row.late; }", ["late"]],
  ["({ late, delay }) => late && delay > 1", ["delay", "late"]],
  ["() => 1", []],
  ["(row) => 1", []],
  ["(row) => 'row.date'.length", ["date"]],
  ["(row) => arrow(row.delay)", ["delay"]],
  ["(row) => [row.delay, ...row.late]", ["delay", "late"]],
  ["(row) => row", undefined],
  ["(row) => ({ ...row })", undefined],
  ["(row) => ({ row })", undefined],
  ["(row) => score(row)", undefined],
  ["(row) => row['delay']", undefined],
  ["(row) => `${row}`", undefined],
  ["(row) => { const { delay } = row; return delay; }", undefined],
  ["(row) => row.valueOf().delay", undefined],
  ["(row) => row.__proto__", undefined],
  ["(row) => row /* */ .delay", undefined],
  ["(row) => row ?.5 : row.delay", undefined],
  ["(row) => row.delay + r\\u006fw", undefined],
  ["(row) => row.delay + eval('r' + 'ow')", undefined],
  ["(row) => row.delay\u00e9", undefined],
  ["(row, i = row) => row.delay", undefined],
  ["(row = 1) => row.delay", undefined],
  ["(...row) => row.delay", undefined],
  ["({ late, ...rest }) => late", undefined],
  ["({ late: { delay } }) => delay", undefined],
  ["({ late = 1 }) => late", undefined],
  ["({ constructor }) => 1", undefined],
  ["function () { return arguments[0].late; }", undefined],
  ["function* (row) { yield row.late; }", undefined],
  ["async (row) => row.late", undefined],
];

test.each(cases)("%s", (text, expected) => {
  const of = () => undefined;
  of.toString = () => "its own text is asked of the language, not of it";
  expect(columnsRead(of, columns)).toEqual([]);
  expect(columnsRead(made(text), columns)).toEqual(expected);
});

test("what the language shows no text of might look at any", () => {
  expect(columnsRead(Math.abs, columns)).toBeUndefined();
  const late = (row: { late: number }) => row.late;
  // oxlint-disable-next-line no-extra-bind -- its text is what this is about
  expect(columnsRead(late.bind(undefined), columns)).toBeUndefined();
  expect(columnsRead(new Proxy(late, {}), columns)).toBeUndefined();
});

/** A function with this text; where it is none, one cannot be made, and a look-alike stands in. */
function made(text: string): (row: never) => unknown {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the cases above
    return new Function(`return (${text});`)() as (row: never) => unknown;
  } catch {
    return Math.abs;
  }
}
