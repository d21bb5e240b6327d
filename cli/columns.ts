import { stripVTControlCharacters } from "node:util";

/**
 * Lines of a table: columns as wide as their widest value, nothing after the last one. A title that begins with `>` puts
 * its column to the right, as numbers want it. Without any title there is no head.
 */
export function columns(titles: string[], rows: string[][], indent = ""): string[] {
  const head = titles.map((title) => ({
    title: title.replace(/^>/, ""),
    isRight: title.startsWith(">"),
  }));
  const widths = head.map(({ title }, index) =>
    Math.max(width(title), ...rows.map((row) => width(row[index] ?? ""))),
  );
  const line = (cells: string[]) =>
    indent +
    cells
      .map((cell, index) => {
        const space = " ".repeat(Math.max(0, (widths[index] ?? 0) - width(cell)));
        return head[index]?.isRight ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  const hasTitles = head.some(({ title }) => title !== "");
  return [...(hasTitles ? [line(head.map(({ title }) => title))] : []), ...rows.map(line)];
}

const letters = new Intl.Segmenter();

/** In letters as a person counts them; wide scripts take more than this says. */
function width(text: string): number {
  return Array.from(letters.segment(stripVTControlCharacters(text))).length;
}
