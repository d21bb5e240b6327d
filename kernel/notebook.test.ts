import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  firstLines,
  firstOffsets,
  insertCell,
  moveCell,
  parseNotebook,
  removeCell,
  replaceCell,
  serialise,
  setDisabled,
  sourceOf,
} from "./notebook.ts";

const text = `// %% [markdown]
// # Title
//
// words

// %%
const a = 1;


// %% [disabled] slow
const b = a;
`;

const pieces = fc.constantFrom(
  "// %%",
  "//%%",
  "// %% [markdown]",
  "// %% [disabled]",
  "// # x",
  "const a = 1",
  "\n",
  "\r\n",
  "\r",
  " ",
  "\t",
  "\uFEFF",
  "`",
  "//",
  "// %%%",
  "é😀",
  "",
);

test("any text comes back as it was", () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const whole = parts.join("");
      expect(serialise(parseNotebook(whole))).toBe(whole);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (whole) => {
      expect(serialise(parseNotebook(whole))).toBe(whole);
    }),
  );
});

test("putting a cell's own text back changes nothing", () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const whole = parts.join("");
      const notebook = parseNotebook(whole);
      const same = notebook.cells.reduce(
        (n, cell, i) => replaceCell(n, i, sourceOf(cell)),
        notebook,
      );
      expect(serialise(same)).toBe(whole);
    }),
  );
});

test("cells carry kind, setting and text without comment signs", () => {
  const { cells } = parseNotebook(text);
  expect(cells.map((cell) => [cell.kind, cell.disabled, sourceOf(cell)])).toEqual([
    ["markdown", false, "# Title\n\nwords"],
    ["code", false, "const a = 1;"],
    ["code", true, "const b = a;"],
  ]);
});

test("text above the first marker is a cell; a plain module is one cell", () => {
  expect(parseNotebook("const a = 1;\n// %%\na").cells.map(sourceOf)).toEqual([
    "const a = 1;",
    "a",
  ]);
  expect(parseNotebook("\uFEFF\n// %%\na").cells.map(sourceOf)).toEqual(["a"]);
  expect(parseNotebook("").cells).toEqual([]);
});

describe("an edit writes nothing but what changed", () => {
  const cases: [
    string,
    (n: ReturnType<typeof parseNotebook>) => ReturnType<typeof parseNotebook>,
    string,
  ][] = [
    ["replace", (n) => replaceCell(n, 1, "const a = 2;"), text.replace("a = 1", "a = 2")],
    [
      "replace Markdown",
      (n) => replaceCell(n, 0, "# New\n\nwords"),
      text.replace("# Title", "# New"),
    ],
    ["disable", (n) => setDisabled(n, 1, true), text.replace("// %%\n", "// %% [disabled]\n")],
    ["enable", (n) => setDisabled(n, 2, false), text.replace(" [disabled]", "")],
    ["insert at the end", (n) => insertCell(n, 3, "code", "b"), `${text}\n// %%\nb\n`],
    [
      "insert between",
      (n) => insertCell(n, 2, "code", "c"),
      text.replace("\n\n\n// %% [dis", "\n\n\n// %%\nc\n\n// %% [dis"),
    ],
    [
      "insert at the end and remove again",
      (n) => removeCell(insertCell(n, 3, "code", "b"), 3),
      text,
    ],
    ["remove", (n) => removeCell(n, 1), text.replace("// %%\nconst a = 1;\n\n\n", "")],
  ];
  test.each(cases)("%s", (_, change, expected) => {
    expect(serialise(change(parseNotebook(text)))).toBe(expected);
  });
  test("CRLF stays CRLF", () => {
    const windows = text.replace(/\n/g, "\r\n");
    expect(serialise(replaceCell(parseNotebook(windows), 1, "x\ny"))).toBe(
      windows.replace("const a = 1;", "x\r\ny"),
    );
  });
  test("a moved cell keeps its text, and every marker begins a line", () => {
    const moved = moveCell(parseNotebook("// %%\na\n// %%\nb"), 1, 0);
    expect(serialise(moved)).toBe("// %%\nb\n\n// %%\na\n");
    expect(parseNotebook(serialise(moved)).cells.map(sourceOf)).toEqual(["b", "a"]);
  });
});

test("first lines and offsets point at each cell's text", () => {
  const notebook = parseNotebook(text);
  const lines = text.split("\n");
  expect(firstLines(notebook).map((line) => lines[line])).toEqual([
    "// # Title",
    "const a = 1;",
    "const b = a;",
  ]);
  expect(firstOffsets(notebook).map((at) => text.slice(at, at + 9))).toEqual([
    "// # Titl",
    "const a =",
    "const b =",
  ]);
});
