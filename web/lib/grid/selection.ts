import type { TableData } from "./table-data.svelte.ts";

export type CellRange = { top: number; bottom: number; left: number; right: number };

/**
 * A range of cells as tab-separated text, with the columns' names above it when it spans more than one cell. No text when a
 * row has not come yet: what is copied is whole.
 */
export function selectionText(
  data: TableData,
  range: CellRange,
): { text: string | undefined; cells: number } {
  const columns = Array.from(
    { length: range.right - range.left + 1 },
    (_, index) => range.left + index,
  );
  const names = columns.map((column) => data.columns[column]?.name ?? "");
  const lines: string[] = [];
  const isOne = range.top === range.bottom && range.left === range.right;
  if (!isOne || range.top < 0) lines.push(names.join("\t"));
  let cells = 0;
  for (let row = Math.max(0, range.top); row <= range.bottom; row += 1) {
    const texts: string[] = [];
    for (const column of columns) {
      const text = data.copyText(row, column);
      if (text === undefined) return { text: undefined, cells: 0 };
      texts.push(/[\t\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      cells += 1;
    }
    lines.push(texts.join("\t"));
  }
  return { text: lines.join("\n"), cells };
}
