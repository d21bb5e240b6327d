import { stripVTControlCharacters } from "node:util";

type Column = { title: string; align?: "right" };

/** Lines of a table: columns as wide as their widest value, numbers to the right, nothing after the last one. */
export function columns(head: Column[], rows: string[][], indent = ""): string[] {
  const widths = head.map(({ title }, index) =>
    Math.max(width(title), ...rows.map((row) => width(row[index] ?? ""))),
  );
  const line = (cells: string[]) =>
    indent +
    cells
      .map((cell, index) => {
        const space = " ".repeat(Math.max(0, (widths[index] ?? 0) - width(cell)));
        return head[index]?.align === "right" ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  const hasTitles = head.some(({ title }) => title !== "");
  return [...(hasTitles ? [line(head.map(({ title }) => title))] : []), ...rows.map(line)];
}

/** In terminal cells, as far as letters of one cell go. */
function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
