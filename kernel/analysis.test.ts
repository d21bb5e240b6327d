import { describe, expect, test } from "vitest";
import { analyseCell } from "./analysis.ts";
import { cellCode, placeInCell } from "./cell-code.ts";
import { buildGraph } from "./graph.ts";

describe("what a cell defines and uses", () => {
  const cases: [string, string[], string[]][] = [
    ["const a = b + c.d;", ["a"], ["b", "c"]],
    ["const { x, y: [z = w] } = o;", ["x", "z"], ["w", "o"]],
    ["function f(a: number) { return a + g; }", ["f"], ["g"]],
    ["class C extends B { m() { return this.x + k; } }", ["C"], ["B", "k"]],
    ["const f = (row) => ({ ...row, late: row.delay > limit });", ["f"], ["limit"]],
    ["for (const i of xs) { const y = i; total += y; }", [], ["xs", "total"]],
    ["const o = { a, b: c, [d]: 1 };", ["o"], ["a", "c", "d"]],
    ["if (q) { var hoisted = 1; }", [], ["q"]],
    ["label: for (;;) break label;", [], []],
    ["try { a(); } catch (e) { b(e); }", [], ["a", "b"]],
    ["const f = function self(n) { return self(n - 1); };", ["f"], []],
    ["const n = x as Foo; const m = y satisfies Bar;", ["n", "m"], ["x", "y"]],
    ["type T = { a: U }; interface I { b: T }", [], []],
    ["const t = sql`select ${a} ${b.by('x')}`;", ["t"], ["sql", "a", "b"]],
    ['import { sql } from "penstock"; import { h } from "./lib.ts"; h(sql);', ["h"], []],
    ["export { a }; a = 1;", [], ["a"]],
    ["const [p, , q] = await r; ", ["p", "q"], ["r"]],
  ];
  test.each(cases)("%s", (source, defines, uses) => {
    const analysis = analyseCell(source);
    expect([analysis.defines, analysis.uses]).toEqual([defines, uses]);
  });
});

test("types are told apart from values", () => {
  const analysis = analyseCell(
    "type Row = Base & { a: typeof seed }; const r: Row = make<Other>();",
  );
  expect(analysis.types).toEqual(["Row"]);
  expect(analysis.typeUses).toEqual(["Base", "seed", "Other"]);
  expect(analysis.uses).toEqual(["make"]);
});

describe("what is wrong before it runs", () => {
  const cases: [string, string, number, number][] = [
    ["const a = ;", "syntax", 1, 11],
    ["const a = 1;\nenum E { A }", "unsupported-syntax", 2, 1],
    ["export default 1;", "unsupported-syntax", 1, 1],
    ['import * as p from "penstock";', "penstock-import", 1, 1],
    ['import { sql as q } from "penstock";', "penstock-import", 1, 10],
    ['import { nothing } from "penstock";', "penstock-import", 1, 10],
  ];
  test.each(cases)("%s", (source, code, line, column) => {
    expect(analyseCell(source).problems[0]).toMatchObject({ code, at: { line, column } });
  });
});

const print = (source: string) => analyseCell(source).fingerprint;

test("comments and blanks do not change the fingerprint; code does", () => {
  expect(print("const a = 1; // one")).toBe(print("/* x */ const a =\n 1;"));
  expect(print("const a = 1;")).not.toBe(print("const a = 2;"));
  expect(print("`a b`")).not.toBe(print("`a  b`"));
});

test("a line break that changes the meaning changes the fingerprint, a doc comment does not", () => {
  const of = (source: string) => analyseCell(source).fingerprint;
  expect(of("const f = () => { return\n1; }")).not.toBe(of("const f = () => { return 1; }"));
  expect(of("/** a */\nconst a = 1;")).toBe(of("/** b */\nconst a = 1;"));
});

test("a name can be a type and a value; what is only declared is no value", () => {
  const both = analyseCell("type Kind = 1;\nconst Kind = 1;");
  expect([both.defines, both.types, both.kinds]).toEqual([["Kind"], [], { Kind: "value" }]);
  const declared = analyseCell("declare const zz: number;\ndeclare function g(): void;");
  expect([declared.defines, declared.types]).toEqual([[], ["zz", "g"]]);
});

describe("the graph names both cells and the way out", () => {
  const cases: [string, string[], [number, string][]][] = [
    ["in order", ["const a = 1", "const b = a"], []],
    ["defined twice", ["const a = 1", "const a = 2"], [[1, "defined-twice"]]],
    ["used above", ["const b = a", "const a = 1"], [[0, "used-above-definition"]]],
    ["cycle", ["const a = b", "const b = a"], [[0, "cycle"]]],
    ["assignment", ["let a = 1", "a = 2"], [[1, "cross-cell-assignment"]]],
    ["missing import", ["const f = snapshot('x')"], [[0, "not-imported"]]],
    ["import anywhere", ["const f = snapshot('x')", 'import { snapshot } from "penstock";'], []],
  ];
  test.each(cases)("%s", (_, sources, expected) => {
    const cells = sources.map((source, index) => ({
      id: String(index),
      analysis: analyseCell(source),
    }));
    const { problems } = buildGraph(cells, (id) => `cell ${Number(id) + 1}`);
    expect([...problems].flatMap(([id, found]) => found.map((p) => [Number(id), p.code]))).toEqual(
      expected,
    );
  });
});

const run = async (source: string): Promise<unknown> => {
  const code = cellCode(source, analyseCell(source));
  if (!code.ok) throw new Error(code.problem.message);
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
    body: string,
  ) => () => Promise<unknown>;
  return new AsyncFunction(code.value.code)();
};

describe("a cell's code", () => {
  const cases: [string, unknown][] = [
    ["const a: number = 1;\na + 1", { a: 1, __last: 2 }],
    ["export const { x, y } = { x: 1, y: 2 } as { x: number; y: number };", { x: 1, y: 2 }],
    ['import { sql } from "penstock";\nlet a = 1;\na = 2;', { a: 2 }],
    ["const a = await Promise.resolve(3);\n// the end", { a: 3 }],
    ["({ a: 1 })  // shown", { __last: { a: 1 } }],
    ["type T = 1;\nconst t: T = 1 as const;", { t: 1 }],
    ["", {}],
    ["const f = <T,>(x: T): T => x\n;[1, 2].map(f)", expect.objectContaining({ __last: [1, 2] })],
  ];
  test.each(cases)("%j", async (source, value) => {
    expect(await run(source)).toEqual(value);
  });
  test("lines stay, and a position behind what was put in front of the last expression is taken back", () => {
    const source = "const a = 1;\n  boom(a)";
    const code = cellCode(source, analyseCell(source));
    if (!code.ok) throw new Error(code.problem.message);
    const line = code.value.code.split("\n")[1] ?? "";
    expect(placeInCell(code.value, { line: 2, column: line.indexOf("boom") + 1 })).toEqual({
      line: 2,
      column: 3,
    });
    expect(placeInCell(code.value, { line: 1, column: 7 })).toEqual({ line: 1, column: 7 });
  });
});
