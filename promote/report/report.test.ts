import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { DiffSummary } from "#snapshots/diff.ts";
import { htmlReport } from "./html.ts";
import { markdownReport } from "./markdown.ts";
import { answerOf, columnsOf, sumsOf, type DiffReport } from "./report.ts";
import { nameText, valuePair, valueText, visible } from "./value.ts";

const hostile = `a|b \`c\` <script>alert("1")</script> <img src=x onerror=alert(1)> [l](javascript:x) **b** @you www.x.org\n# h\u001b[31m\u202e</style>`;

const column = {
  leftType: "VARCHAR",
  rightType: "VARCHAR",
  rule: null,
  nullToValue: 0,
  valueToNull: 0,
};
const summary: DiffSummary = {
  identical: false,
  complete: true,
  keys: ["id"],
  rows: {
    left: 10,
    right: 11,
    equal: 6,
    changed: 3,
    added: 2,
    removed: 1,
    ambiguous: { keys: 0, left: 0, right: 0 },
  },
  columns: [
    { name: "id", status: "key", changed: 0, ...column },
    { name: "quiet", status: "compared", changed: 0, ...column },
    { name: "little", status: "compared", changed: 1, ...column },
    { name: hostile, status: "compared", changed: 3, ...column, rule: "trim" },
    { name: "new", status: "added", changed: 0, ...column, leftType: null },
  ],
  renameCandidates: [],
  samples: {
    changed: [
      {
        key: [hostile],
        left: { id: 1, [hostile]: hostile },
        right: { id: 1, [hostile]: null },
        columns: [hostile],
      },
    ],
    added: [{ key: [2], left: null, right: { id: 2, quiet: hostile }, columns: [] }],
    removed: [],
    ambiguous: [],
  },
  causes: [
    {
      text: `x = ${hostile}`,
      scope: { kind: "changed" },
      why: { kind: "values", column: "x", values: ["1"] },
      from: "sides",
      differences: 3,
      covered: 3,
      equal: 0,
    },
  ],
  elapsedMs: 1,
};
const report: DiffReport = {
  left: { text: "l", label: `old ${hostile}` },
  right: { text: "r", label: "new" },
  where: hostile,
  summary,
  remarks: [hostile],
};

describe("Markdown", () => {
  const text = markdownReport(report);
  test("nothing in a value is HTML, a mention, a link or formatting", () => {
    const own = text.replace(/<\/?(?:details|summary)>|<br>/g, "");
    expect(own).not.toMatch(/[<@`]|www\.|\]\(|javascript:/);
    expect(own.replace(/\*\*(?:Note:|What explains it)\*\*/g, "")).not.toContain("*");
    expect(text).toContain("&#60;script&#62;");
  });
  test("every line of a table has its cells and no more", () => {
    for (const block of text.split("\n\n").filter((part) => part.startsWith("|"))) {
      const widths = new Set(block.split("\n").map((line) => line.split("|").length));
      expect([...widths]).toHaveLength(1);
    }
  });
  test("what holds for all comes first, samples are folded", () => {
    expect(text).toMatch(/^### old .* → new: different\n/);
    expect(text).toContain("left: 10 = 6 + 3 + 1 + 0");
    expect(text).toContain("<details><summary>Changed, the first 1 of 3</summary>");
  });
});

describe("HTML", () => {
  const tokens = ":root { --bg: light-dark(#fff, #000); }";
  const page = htmlReport(report, tokens);
  test("nothing in a value is markup", () => {
    const style = /<style>([^]*?)<\/style>/.exec(page)?.[1] ?? "";
    const rest = page.replace(style, "");
    expect(rest).not.toMatch(/<script|<img|onerror=alert\(1\)>|[^\P{Cc}\n]|\u202e/u);
    expect(rest.match(/<\/style>/g)).toHaveLength(1);
    expect(rest).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
  });
  test("it holds the tokens, loads nothing, and its policy allows just its own style", () => {
    const style = /<style>([^]*?)<\/style>/.exec(page)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    expect(style).toContain(tokens);
    expect(page).toContain(
      `content="default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;`,
    );
    expect(page).not.toMatch(/ style="|<link|src="|href="/);
  });
  test("the order is answer, counts, columns, causes, samples", () => {
    const places = [
      "<h1>Different</h1>",
      'class="bar"',
      ">Columns<",
      ">What explains it<",
      "Changed, the first",
    ].map((part) => page.indexOf(part));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
  });
});

test("columns that changed most come first, the rest are counted", () => {
  const { telling, silent } = columnsOf(summary);
  expect(telling.map(({ name }) => name)).toEqual([hostile, "little", "new"]);
  expect(silent).toBe(1);
});

test("the sums add up", () => {
  for (const { total, parts } of sumsOf(summary)) expect(parts.reduce((a, b) => a + b)).toBe(total);
});

const none = { ...summary.rows, changed: 0, added: 0, removed: 0 };
const answers: [string, Partial<DiffSummary>][] = [
  ["identical", { identical: true, rows: none }],
  ["different", {}],
  ["different, as far as was looked", { complete: false }],
  ["no difference as far as was looked", { complete: false, rows: none }],
  ["the same rows, but different columns", { rows: none }],
];
test.each(answers)("the answer is: %s", (answer, change) => {
  expect(answerOf({ ...summary, ...change })).toBe(answer);
});

const values: [unknown, string][] = [
  [null, "NULL"],
  ["NULL", '"NULL"'],
  ["", '""'],
  [" a", '" a"'],
  ["a\tb\r\n", '"a\\tb\\r\\n"'],
  [12.5, "12.5"],
  [{ a: [1, "\u001b"] }, '{"a":[1,"\\u001b"]}'],
  ["x".repeat(50), `${"x".repeat(19)}…`],
  [`${"x".repeat(18)}😀😀`, `${"x".repeat(18)}…`],
];
test.each(values)("%j is shown as %s", (value, text) => {
  expect(valueText(value, 20)).toBe(text);
});

const pairs: [unknown, unknown, [string, string]][] = [
  ["a", null, ["a", "NULL"]],
  [`${"x".repeat(40)}a`, `${"x".repeat(40)}b`, ["…xxxxxxxxxxa", "…xxxxxxxxxxb"]],
  ["a".repeat(30), "b", [`${"a".repeat(19)}…`, "b"]],
];
test.each(pairs)("%j and %j look different", (before, after, shown) => {
  expect(valuePair(before, after, 20)).toEqual(shown);
});

test("long names that begin alike stay apart", () => {
  expect(nameText("a_long_name_1", 9)).toBe("a_lo…me_1");
  expect(nameText("short", 9)).toBe("short");
});

test("what cannot be seen is written out", () => {
  expect(visible("a\u0000\u001b\u007f\u0085\u2028\u202e\ufeffé日")).toBe(
    "a\\x00\\x1b\\x7f\\x85\\u2028\\u202e\\ufeffé日",
  );
});
