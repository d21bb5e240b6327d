import type { Column } from "#snapshots/table.ts";
import { isNumeric } from "./cell-text.ts";

const charPx = 7.2;
const paddingPx = 20;
const stretchPx = 96;

/** A width for each column from its name and type, stretched to fill the room there is; never squeezed below its need. */
export function columnWidths(columns: readonly Column[], roomPx: number): number[] {
  const needs = columns.map((column) =>
    Math.ceil(Math.max(nameNeed(column), typeNeed(column.type))),
  );
  const total = needs.reduce((sum, need) => sum + need, 0);
  if (total === 0 || total >= roomPx) return needs;
  // Room is shared evenly, so that a row reads as one; but two columns are not torn apart across a wide screen.
  const spare = Math.min(stretchPx, (roomPx - total) / columns.length);
  const widths = needs.map((need) => Math.floor(need + spare));
  if (spare === stretchPx) return widths;
  const rest = Math.floor(roomPx) - widths.reduce((sum, width) => sum + width, 0);
  return widths.map((width, index) => (index === widths.length - 1 ? width + rest : width));
}

function nameNeed({ name }: Column): number {
  return Math.min(name.length, 28) * charPx + paddingPx;
}

function typeNeed(type: string): number {
  if (type.startsWith("TIMESTAMP")) return 130;
  if (type.startsWith("DATE")) return 92;
  if (type.startsWith("BOOL")) return 80;
  if (/^(DOUBLE|FLOAT|DECIMAL|HUGEINT|UHUGEINT)/.test(type)) return 96;
  if (isNumeric(type)) return 84;
  if (/^(VARCHAR|JSON|UUID)/.test(type)) return 84;
  return 180;
}
