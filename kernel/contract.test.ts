import { describe, expect, test } from "vitest";
import { createLanguageService, type LanguageInput } from "./language-service.ts";
import { typesText } from "./types.ts";

const column = (name: string, type: string, nullable = false) => ({ name, type, nullable });
const flights = [
  column("id", "BIGINT"),
  column("date", "TIMESTAMP"),
  column("delay", "BIGINT", true),
  column("price", "DECIMAL(18,3)"),
  column("day", "DATE"),
  column("tags", "VARCHAR[]"),
  column("place", 'STRUCT(lat DOUBLE, "long name" INTEGER)'),
  column("counts", "MAP(VARCHAR, BIGINT)"),
  column("raw", "BLOB"),
  column("key", "UUID"),
  column("big", "UBIGINT"),
];
const types = typesText([{ name: "flights@1", columns: flights }]);
const service = createLanguageService();

function input(body: string, tables: LanguageInput["tables"] = {}): LanguageInput {
  const text = `import { snapshot, sql, transform } from "penstock";\nconst flights = snapshot("flights@1");\n${body}`;
  return { fileName: "/workspace/notebooks/n.ts", text, types, tables };
}

function contract(body: string, tables: LanguageInput["tables"] = {}): string {
  const found = service.contract(input(body, tables), "t");
  if (!found.ok)
    return `${found.problem.message} @${found.problem.at?.line}:${found.problem.at?.column}`;
  return found.value
    .map(({ name, type, nullable }) => `${name} ${type}${nullable ? "?" : ""}`)
    .join(", ");
}

describe("the output contract comes from the return type", () => {
  const all =
    'id BIGINT, date TIMESTAMP, delay BIGINT?, price DECIMAL(18,3), day DATE, tags VARCHAR[], place STRUCT(lat DOUBLE, "long name" INTEGER), counts MAP(VARCHAR, BIGINT), raw BLOB, key UUID, big UBIGINT';
  const cases: [string, string][] = [
    ["(f) => f", all],
    ["(f) => ({ ...f, late: (f.delay ?? 0) > 15 })", `${all}, late BOOLEAN`],
    ["(f) => ({ late: true, ...f })", `late BOOLEAN, ${all}`],
    [
      "(f) => ({ n: f.id / 2, m: f.id ?? 0, text: `${f.id}`, d: f.delay ?? 0 })",
      "n DOUBLE, m BIGINT, text VARCHAR, d DOUBLE",
    ],
    ["(f) => (f.id > 1 ? { id: f.id } : null)", "id BIGINT"],
    ["(f) => [{ id: f.id, part: 1 }, { id: f.id, part: 2 }]", "id BIGINT, part DOUBLE"],
    [
      "(f) => { if (f.id > 1) return { id: f.id, a: 1 }; return { id: f.id }; }",
      "id BIGINT, a DOUBLE?",
    ],
    ["(f): { k: string | null; when?: Date } => ({ k: null })", "k VARCHAR?, when TIMESTAMP?"],
    [
      "(f) => ({ kind: f.id > 1 ? 'a' : 'b', list: [1, 2], inner: { a: 1, b: 'x' }, n: 10n })",
      'kind VARCHAR, list DOUBLE[], inner STRUCT("a" DOUBLE, "b" VARCHAR), n HUGEINT',
    ],
    ["(f) => ({ x: JSON.parse('1') })", "Column `x` of `t` has the type `any`. @3:40"],
    ["(f) => ({ x: null })", "Column `x` of `t` is always null. @3:40"],
    ["(f) => ({ x: f.id > 1 ? 'a' : true })", "Column `x` of `t` can be VARCHAR or BOOLEAN. @3:40"],
    [
      "(f) => ({ x: () => 1 })",
      "Column `x` of `t` has the type `() => 1`, which no column can hold. @3:40",
    ],
    [
      "(f) => ({ parts: [{ a: 1, b: 'x' }, { a: null, b: 'y' }], one: f.id > 1 ? { a: 1 } : { b: 'x' } })",
      'parts STRUCT("a" DOUBLE, "b" VARCHAR)[], one STRUCT("a" DOUBLE, "b" VARCHAR)',
    ],
    [
      "(f) => ({ x: f as unknown as Tree })",
      "Column `x` of `t` has a type that holds itself, which no column can. @3:40",
    ],
    [
      "(f) => JSON.parse('1')",
      "What `t` returns has the type `any`, which names no columns. @3:30",
    ],
    ["(f) => ({ '': 1 })", "A record of `t` has a column without a name. @3:40"],
    ["(f) => null", "`t` never returns a record, so its output has no columns. @3:30"],
  ];
  test.each(cases)("%s", (apply, expected) => {
    expect(
      contract(`const t = transform(flights, ${apply});\ntype Tree = { v: number; next: Tree };`),
    ).toBe(expected);
  });
});

test("a query's columns type its rows and lookups, and positions stay those of the text as written", () => {
  const body =
    "const q = sql`select 1`; const t = transform(flights, { lookup: { q: q.by('origin') } }, (f, { q }) => ({ id: f.id, a: q('x')?.typical, n: q('x')?.n }));";
  const tables = {
    q: [column("origin", "VARCHAR"), column("typical", "DOUBLE", true), column("n", "BIGINT")],
  };
  expect(contract(body, tables)).toBe("id BIGINT, a DOUBLE?, n BIGINT?");
  expect(contract(body)).toContain("has the type `any`");
  const wrong = input("const q = sql`select 1`; q.by('nowhere');", tables);
  const found = service.diagnostics(wrong);
  expect(found.map(({ start, end }) => wrong.text.slice(start, end))).toEqual(["'nowhere'"]);
});

test("completions and hover know the snapshot's columns", () => {
  const asked = input("const t = transform(flights, (f) => ({ a: f.delay }));");
  const offset = asked.text.indexOf("f.delay") + 2;
  expect(service.completions(asked, offset).map((found) => found.label)).toEqual(
    expect.arrayContaining(["delay", "price"]),
  );
  expect(service.hover(asked, offset)).toContain("BIGINT");
});

test("an unknown snapshot and a wrong column are errors where they stand", () => {
  const asked = input("snapshot('none@1');\ntransform(flights, (f) => ({ a: f.dely }));");
  expect(
    service
      .diagnostics(asked)
      .map(({ start, end, severity }) => [asked.text.slice(start, end), severity]),
  ).toEqual([
    ["'none@1'", "error"],
    ["dely", "error"],
  ]);
});
