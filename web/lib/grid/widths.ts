import type { Column } from "#snapshots/table.ts";
import { isNumeric } from "./cell-text.ts";

const charPx = 7.6;
const paddingPx = 24;

/** A width for each column from its name and type, stretched to fill the room there is; never squeezed below its need. */
export function columnWidths(columns: readonly Column[], roomPx: number): number[] {
  const needs = columns.map((column) => Math.ceil(Math.max(nameNeed(column), typeNeed(column.type))));
  const total = needs.reduce((sum, need) => sum + need, 0);
  if (total === 0 || total >= roomPx) return needs;
  // Wide screens spread columns evenly, so that a row reads as one.
  const spare = (roomPx - total) / columns.length;
  const widths = needs.map((need) => Math.floor(need + spare));
  const rest = Math.floor(roomPx) - widths.reduce((sum, width) => sum + width, 0);
  const last = widths.length - 1;
  return widths.map((width, index) => (index === last ? width + rest : width));
}

function nameNeed({ name }: Column): number {
  return Math.min(name.length, 28) * charPx + paddingPx + 14;
}

function typeNeed(type: string): number {
  if (/^TIMESTAMP/.test(type)) return 150;
  if (/^DATE/.test(type)) return 100;
  if (/^BOOL/.test(type)) return 92;
  if (/^(DOUBLE|FLOAT|DECIMAL|HUGEINT|UHUGEINT)/.test(type)) return 128;
  if (isNumeric(type)) return 96;
  if (/^(VARCHAR|JSON|UUID)/.test(type)) return 116;
  return 180;
}
