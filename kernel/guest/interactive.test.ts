import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fail, ok, unwrap } from "#snapshots/problem.ts";
import { batchOf, column } from "./fixture.ts";
import {
  decodeStructured,
  openInteractive,
  type Interactive,
  type InteractiveEvent,
  type RowsRequest,
} from "./interactive.ts";

let guest: Interactive;
const events: InteractiveEvent[] = [];
const asked: RowsRequest[] = [];
const columns = [column("n", "BIGINT"), column("at", "TIMESTAMP", true)];

beforeAll(async () => {
  guest = unwrap(
    await openInteractive({
      onOutput: (event) => events.push(event),
      // eslint-disable-next-line require-await -- the port is asynchronous
      async onRows(request) {
        asked.push(request);
        if (request.handle === "") return fail({ code: "x", message: "no" });
        const rows = Array.from(
          { length: Math.max(0, Math.min(request.limit, 25_000 - request.offset)) },
          (_, i) => request.offset + i,
        );
        return ok({
          columns,
          ipc: batchOf(columns, [rows, rows.map((i) => (i % 2 ? null : new Date(i)))]),
        });
      },
    }),
  );
});
beforeEach(() => {
  events.length = 0;
  asked.length = 0;
});
afterAll(() => guest.close());

function run(code: string, uses: string[] = [], defines: string[] = [], id = "cell") {
  return guest.run({ id, code, sourceUrl: `notebook#${id}`, uses, defines });
}

test("a cell's values are there for the next one, and gone when it no longer defines them", async () => {
  unwrap(
    await run(
      "const a = 20; const add = (x) => x + a; return { a, add };",
      [],
      ["a", "add"],
      "one",
    ),
  );
  const ran = unwrap(await run("return { __last: add(a) };", ["a", "add"], [], "two"));
  expect(ran.last).toMatchObject({ kind: "plain", text: "40", encoded: 40 });
  expect(await run("throw new Error('now it fails');", [], ["a"], "one")).toMatchObject({
    ok: false,
  });
  expect(await run("return { __last: a };", ["a"], [], "two")).toMatchObject({
    ok: false,
    problem: { message: "ReferenceError: a is not defined", at: { line: 1, column: 18 } },
  });
});

test("tables are told as expressions, through queries and transforms", async () => {
  const ran = unwrap(
    await run(
      "const f = snapshot('f@1'); const d = transform(f, (r) => r); const q = sql`select * from ${d} where n > ${3}`; const m = metric.mean('m', d, (r) => r.n); return { f, d, q, m };",
      [],
      ["f", "d", "q", "m"],
    ),
  );
  expect(ran.defined).toMatchObject({
    f: { kind: "table", expression: { kind: "snapshot", name: "f@1" } },
    d: { kind: "table", expression: { kind: "transform", name: "d" } },
    q: {
      kind: "table",
      expression: {
        kind: "sql",
        strings: ["select * from ", " where n > ", ""],
        values: [
          { kind: "transform", name: "d" },
          { kind: "literal", value: 3 },
        ],
      },
    },
    m: { kind: "metric", name: "m" },
  });
});

test("rows of a table come from the host, in pieces", async () => {
  unwrap(await run("const t = snapshot('t'); return { t };", [], ["t"]));
  const first = unwrap(
    await run("return { __last: await t.rows({ limit: 2, offset: 4 }) };", ["t"]),
  );
  expect(first.last).toMatchObject({
    text: "[{ n: 4, at: 1970-01-01T00:00:00.004Z }, { n: 5, at: null }]",
  });
  const all = unwrap(
    await run("let sum = 0; for await (const row of t) sum += row.n; return { __last: sum };", [
      "t",
    ]),
  );
  expect(all.last).toMatchObject({ text: String((24_999 * 25_000) / 2) });
  expect(asked.map(({ offset, limit }) => [offset, limit])).toEqual([
    [4, 2],
    [0, 10_000],
    [10_000, 10_000],
    [20_000, 10_000],
  ]);
});

test("what a cell shows comes in its order", async () => {
  const ran = unwrap(
    await run(
      "md`# hi ${1 + 1}`; display({ a: 1 }); chart({ mark: 'bar' }, [{ a: 1n }]); display(snapshot('s')); return { __last: md`x` };",
    ),
  );
  expect(ran.displays).toMatchObject([
    { kind: "markdown", text: "# hi 2" },
    { kind: "text", text: "{ a: 1 }" },
    { kind: "chart", spec: { mark: "bar" }, rows: [{ a: 1 }], total: 1 },
    { kind: "table", expression: { kind: "snapshot", name: "s" } },
    { kind: "markdown", text: "x" },
  ]);
  expect(ran.last).toBeUndefined();
});

test("console lines stream, tagged with the cell", async () => {
  unwrap(
    await run("console.log('a', 1, { b: [2] }); console.warn('w'); return {};", [], [], "talks"),
  );
  expect(events).toEqual([
    { cell: "talks", kind: "line", stream: "stdout", text: "a 1 { b: [2] }" },
    { cell: "talks", kind: "line", stream: "stderr", text: "w" },
  ]);
});

describe("errors are at their line and column", () => {
  const cases: [code: string, message: string, line: number, column: number][] = [
    ["null.x;", "TypeError: Cannot read properties of null (reading 'x')", 1, 6],
    ["\r\n  undefinedName;", "ReferenceError: undefinedName is not defined", 2, 3],
    ["const f = () => {\n\n  throw new RangeError('deep');\n};\nf();", "RangeError: deep", 3, 9],
    [
      "await snapshot('t').rows({ limit: -1 });",
      "TypeError: limit must be an integer from 0 to 1,000,000. Read a large table piece by piece: for await (const row of table).",
      1,
      21,
    ],
  ];
  test.each(cases)("%s", async (code, message, line, column) => {
    expect(await run(code)).toMatchObject({
      ok: false,
      problem: { code: "cell-error", message, at: { cell: "cell", line, column } },
    });
  });

  test("in a function of another cell, the place is the call in this one", async () => {
    unwrap(await run("const f = (x) => x.y; return { f };", [], ["f"], "other"));
    expect(await run("\n f(null);", ["f"], [], "this")).toMatchObject({
      ok: false,
      problem: { at: { cell: "this", line: 2, column: 2 } },
    });
  });
});

test("a rejection nobody handled and an error in a timer are reported, and the guest lives", async () => {
  unwrap(
    await run(
      "setTimeout(() => { throw new Error('timer'); }, 1); Promise.reject(new Error('left alone')); return {};",
      [],
      [],
      "late",
    ),
  );
  await expect.poll(() => events.length).toBe(2);
  const messages = events.map((event) =>
    event.kind === "problem" ? `${event.cell} ${event.problem.message}` : "",
  );
  expect(messages.toSorted()).toEqual(["late Error: left alone", "late Error: timer"]);
  expect((await run("return {};")).ok).toBe(true);
});

test("plain values survive a kill", async () => {
  const made = unwrap(
    await run(
      "const shared = [1]; const v = { d: new Date(5), m: new Map([['k', new Set([1n])]]), bytes: new Float64Array([0.5, NaN]), weird: [NaN, -0, undefined, Infinity], a: shared, b: shared, self: null }; v.self = v; return { v };",
      [],
      ["v"],
    ),
  );
  const value = made.defined["v"];
  if (value?.kind !== "plain") throw new Error("v should be plain");
  const here = decodeStructured(value.encoded) as Record<string, unknown>;
  expect(here["self"]).toBe(here);
  expect(here).toMatchObject({
    d: new Date(5),
    m: new Map([["k", new Set([1n])]]),
    weird: [Number.NaN, -0, undefined, Number.POSITIVE_INFINITY],
  });
  guest.kill();
  expect(await run("return {};")).toMatchObject({ ok: false, problem: { code: "interrupted" } });
  guest = unwrap(await openInteractive({ onOutput: (event) => events.push(event) }));
  unwrap(await guest.restore({ v: value.encoded }));
  const back = unwrap(
    await run(
      "return { __last: [v.self === v, v.a === v.b, v.d.getTime(), v.m.get('k').has(1n), v.bytes[0], Object.is(v.weird[1], -0)] };",
      ["v"],
    ),
  );
  expect(back.last).toMatchObject({ text: "[true, true, 5, true, 0.5, true]" });
});

test("what is not plain is a recipe, and says what it is", async () => {
  const ran = unwrap(
    await run(
      "class Model { w = 1 } return { model: new Model(), f() {}, getter: { get x() { throw 1; } }, symbol: Symbol('s') };",
    ),
  );
  expect(ran.defined).toMatchObject({
    model: { kind: "other", text: "Model { w: 1 }" },
    f: { kind: "function", text: "ƒ f" },
    getter: { kind: "other", text: "{ x: [Getter] }" },
    symbol: { kind: "other", text: "Symbol(s)" },
  });
});

test("random numbers are the same for the same code, and the time is told on", async () => {
  const code = "return { __last: [Math.random(), Math.random()] };";
  const first = unwrap(await run(code));
  expect(unwrap(await run(code)).last).toEqual(first.last);
  expect(unwrap(await run(`${code} `)).last).not.toEqual(first.last);
  expect(first.usedClock).toBe(false);
  for (const asks of ["Date.now()", "new Date()", "performance.now()", "Date()"]) {
    expect(unwrap(await run(`${asks}; return {};`)).usedClock).toBe(true);
  }
});
