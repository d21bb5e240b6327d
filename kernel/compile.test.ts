import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compileModules } from "./compile.ts";
import { sliceText } from "./notebook-slice.ts";
import { placeInSource } from "./source-map.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "penstock-compile-")));
const outside = realpathSync(mkdtempSync(join(tmpdir(), "penstock-outside-")));
afterAll(() => {
  rmSync(root, { recursive: true });
  rmSync(outside, { recursive: true });
});
for (const folder of ["notebooks/lib", "node_modules/tiny"])
  mkdirSync(join(root, folder), { recursive: true });
writeFileSync(join(root, "notebooks/lib/limit.ts"), "export const limit: number = 15;\n");
writeFileSync(
  join(root, "node_modules/tiny/package.json"),
  '{"name":"tiny","type":"module","exports":"./index.js"}',
);
writeFileSync(join(root, "node_modules/tiny/index.js"), "export const tiny = () => 1;\n");
writeFileSync(join(outside, "secret.ts"), "export const secret = 1;\n");
symlinkSync(join(outside, "secret.ts"), join(root, "notebooks/lib/linked.ts"));

const head = `// %%
import { snapshot, sql, transform, metric, display } from "penstock";
// %%
const flights = snapshot("flights@1");
display(flights);
`;

function slice(body: string, captured?: Record<string, unknown>) {
  return sliceText({ text: `${head}// %%\n${body}`, names: ["t"], captured });
}

async function bundle(body: string) {
  const found = slice(body);
  if (!found.ok) return found;
  const modules = {
    entry:
      'import { t } from "penstock-memory:notebook"; export const slice = { transforms: { t }, metrics: [] };',
    notebook: found.value.code.includes("export const t")
      ? found.value.code
      : `${found.value.code}\nexport { t };`,
  };
  return compileModules({ root, fileName: join(root, "notebooks/n.ts"), modules });
}

describe("a slice holds what the transform needs, and nothing that only shows", () => {
  const cases: [string, string, string[]][] = [
    [
      "itself",
      "const t = transform(flights, (f) => f);\nconst other = 1;\nother;",
      ["snapshot sql transform metric display", "flights", "t"],
    ],
    [
      "functions and constants it reaches",
      "const k = 2; const unused = 3;\nfunction f(x) { return x * k; }\nconst t = transform(flights, (r) => ({ a: f(r.a) }));",
      ["k", "f", "t"],
    ],
    [
      "what fills a collection",
      "const m = new Map();\nfor (const i of [1, 2]) m.set(i, i);\nm.size;\nconst t = transform(flights, (r) => ({ a: m.get(r.a) }));",
      ["m", "t"],
    ],
    [
      "every statement of a name: overloads and the function, a type and the value",
      "function g(a: number): number;\nfunction g(a: number) { return a + 40 + Kind; }\ntype Kind = 2;\nconst Kind = 2;\nconst t = transform(flights, (r) => ({ a: g(r.a) }));",
      ["g", "Kind", "t"],
    ],
    [
      "lookups",
      "const q = sql`select 1 from ${flights}`;\nconst t = transform(flights, { lookup: { q: q.by('a') } }, (r, { q }) => q(r.a));",
      ["q", "t"],
    ],
  ];
  test.each(cases)("%s", (_, body, names) => {
    const found = slice(body);
    if (!found.ok) throw new Error(found.problem.message);
    for (const name of names.join(" ").split(" ")) expect(found.value.names).toContain(name);
    expect(found.value.names).not.toContain("unused");
    expect(found.value.names).not.toContain("other");
    expect(found.value.code).not.toContain("display(flights)");
    expect(found.value.code).not.toContain("m.size");
    expect(found.value.code.split("\n").length).toBe(`${head}// %%\n${body}`.split("\n").length);
  });
});

describe("what a transform cannot do is refused at its line", () => {
  const cases: [string, string, number][] = [
    [
      "assign to a captured name",
      "let n = 0;\nconst t = transform(flights, (r) => ({ n: n++ }));",
      2,
    ],
    [
      "assign through a helper",
      "let n = 0;\nfunction next() {\n  n += 1;\n  return n; }\nconst t = transform(flights, (r) => ({ n: next() }));",
      3,
    ],
    [
      "change a captured list",
      "const seen = [];\nconst t = transform(flights, (r) => { seen.push(r.id); return r; });",
      2,
    ],
    [
      "change a captured object",
      "const o = { n: 0 };\nconst t = transform(flights, (r) => {\n  o.n = r.id; return r; });",
      3,
    ],
    [
      "delete from a captured map",
      "const m = new Map();\nconst t = transform(flights, (r) => { m.delete(r.id); return r; });",
      2,
    ],
    [
      "a global regular expression outside",
      "const re = /a/g;\nconst t = transform(flights, (r) => ({ a: re.test(r.a) }));",
      2,
    ],
    ["Date.now", "const t = transform(flights, (r) => ({ a: Date.now() }));", 1],
    ["new Date()", "const t = transform(flights, (r) => ({ a: new Date() }));", 1],
    ["Math.random", "const t = transform(flights, (r) => ({ a: Math.random() }));", 1],
    [
      "Math.random by another name",
      "const { random } = Math;\nconst t = transform(flights, (r) => ({ a: random() }));",
      1,
    ],
    ["fetch", "const t = transform(flights, (r) => ({ a: fetch('x') }));", 1],
    ["console", "const t = transform(flights, (r) => { console.log(r); return r; });", 1],
    ["async", "const t = transform(flights, async (r) => r);", 1],
    [
      "a clock captured at the top",
      "const start = Date.now();\nconst t = transform(flights, (r) => ({ a: start }));",
      1,
    ],
    [
      "a name used above its definition",
      "const t = transform(flights, (r) => ({ a: later }));\n// %%\nconst later = 1;",
      1,
    ],
  ];
  test.each(cases)("%s", (_, body, line) => {
    const found = slice(body);
    expect(found.ok ? "accepted" : found.problem.at).toMatchObject({ cell: "cell 3", line });
    expect(found.ok || found.problem.hint).toBeTruthy();
  });
});

describe("what looks like it and is pure is accepted", () => {
  test.each([
    "const t = transform(flights, (r) => { let n = 0; n++; const a = []; a.push(n); return { a: a.length }; });",
    "const t = transform(flights, (r) => ({ d: new Date(r.ms), y: new Date(0).getTime() }));",
    "const re = /a/g;\nconst t = transform(flights, (r) => ({ a: r.a.replace(re, 'b') }));",
    "const t = transform(flights, (r) => { const re = /a/g; return { a: re.test(r.a) }; });",
    "const t = transform(flights, (r) => { const console = { log: () => 1 }; return { a: console.log() }; });",
    "const m = new Map([[1, 2]]);\nconst t = transform(flights, (r) => ({ a: m.get(r.a), b: Math.max(1, 2) }));",
    "class P { x = 0; set(v) { this.x = v; return this; } }\nconst t = transform(flights, (r) => ({ a: new P().set(1).x }));",
  ])("%s", (body) => {
    expect(slice(body)).toMatchObject({ ok: true });
  });
});

test("a value that was waited for is captured as data, or the slice says how to part it", () => {
  const body =
    "const rows = await flights.rows();\nconst fit = { slope: rows.length };\n// %%\nconst limits = await load();\nconst t = transform(flights, (r) => ({ a: limits[0] }));";
  expect(slice(body)).toMatchObject({
    ok: false,
    problem: { code: "not-repeatable", at: { cell: "cell 4", line: 1 } },
  });
  const found = slice(body, { limits: [1, new Date(5), { "a-b": 1n }] });
  if (!found.ok) throw new Error(found.problem.message);
  expect(found.value.captured).toEqual(["limits"]);
  expect(found.value.code).toContain('const limits = [1, new Date(5), { "a-b": 1n }];');
});

describe("a bundle", () => {
  test("holds a function that has overloads, and a value that has a type of its name", async () => {
    const body =
      "function g(a: number): number;\nfunction g(a: number) { return a + 40 + Kind; }\ntype Kind = 2;\nconst Kind = 2;\nconst t = transform(flights, (r) => ({ a: g(r.a) }));";
    const made = await bundle(body);
    if (!made.ok) throw new Error(made.problem.message);
    expect(made.value.code).toContain("a + 40");
    expect(made.value.code).toContain("Kind = 2");
  });

  test("is the same bytes again, from another place too, and comments do not show", async () => {
    const body = "const k = 1;\nexport const t = transform(flights, (f) => ({ a: f.a + k }));";
    const first = await bundle(body);
    const second = await bundle(
      body.replace("const k", "// why\nconst k").replace("+ k", "+ /* k */ k"),
    );
    if (!first.ok || !second.ok) throw new Error("not bundled");
    expect(second.value.code).toBe(first.value.code);
    expect(first.value.code).not.toContain(root);
    expect(first.value.code).not.toContain("kernel");
  });
  test("takes in modules of the workspace, its packages too", async () => {
    const found = await bundle(
      'import { limit } from "./lib/limit.ts";\nimport { tiny } from "tiny";\nexport const t = transform(flights, (f) => ({ a: limit + tiny() }));',
    );
    if (!found.ok) throw new Error(found.problem.message);
    expect(found.value.code).toContain("15");
  });
  test.each([
    ["node:fs", "outside the workspace"],
    ["fs", "cannot be found"],
    ["https://example.com/x.js", "outside the workspace"],
    ["./lib/linked.ts", "outside the workspace"],
    [`${outside}/secret.ts`, "outside the workspace"],
    ["../../../../../../etc/passwd", "cannot be found|outside"],
    ["nowhere", "cannot be found"],
  ])("refuses %s", async (specifier, message) => {
    const found = await bundle(
      `import * as m from ${JSON.stringify(specifier)};\nexport const t = transform(flights, (f) => ({ a: m }));`,
    );
    if (found.ok) throw new Error("accepted");
    expect(found.problem.message).toMatch(new RegExp(message));
    expect(found.problem.at?.line).toBe(7);
  });
  test("its source map leads to the notebook's lines and columns", async () => {
    const body =
      "export const t = transform(flights, (f) => {\n  return { a: boom(f) };\n});\nfunction boom(f) { throw new Error(f); }";
    const found = await bundle(body);
    if (!found.ok) throw new Error(found.problem.message);
    const lines = found.value.code.split("\n");
    const line = lines.findIndex((text) => text.includes("throw new Error"));
    const column = (lines[line] ?? "").indexOf("throw");
    expect(placeInSource(found.value.sourceMap, { line: line + 1, column: column + 1 })).toEqual({
      line: 10,
      column: 20,
    });
  });
});
