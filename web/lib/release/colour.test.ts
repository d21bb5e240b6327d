import { expect, test } from "vitest";
import { coloured } from "./colour.ts";

test("a line keeps its text, whatever is coloured", () => {
  const lines = [
    'export const delays = transform(flights, { lookup: { typical: typical.by("origin") } });',
    "  if (f.distance < 1_000.5) return null; // positioning `hops`",
    "const typical = sql`select origin",
    "'unclosed \\' text",
    "",
  ];
  for (const line of lines)
    expect(
      coloured(line)
        .map(({ text }) => text)
        .join(""),
    ).toBe(line);
});

test("keywords, calls, texts, numbers and comments are told apart", () => {
  const tones = Object.fromEntries(
    coloured('const x = f("a", 12); // b').map(({ text, tone }) => [text, tone]),
  );
  expect(tones).toMatchObject({ const: "k", f: "f", '"a"': "st", "12": "n", "// b": "cm" });
});
