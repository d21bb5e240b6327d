/** Browsers cap an element's height (Firefox at 17.9 M px, Chromium at 33.5 M): beyond this, the scroll bar stands for more. */
export const tallestPx = 15_000_000;

export type Scroll = {
  /** Where the rows are, in pixels of their full height. */
  top: number;
  /** Where the scroll bar is. */
  bar: number;
};

export type Extent = { rows: number; rowPx: number; viewPx: number };

/** The height that the scrolled element gets. */
export function barHeight({ rows, rowPx }: Extent): number {
  return Math.min(rows * rowPx, tallestPx);
}

/**
 * The next position after the bar moved. A small step (wheel, arrow) moves the rows by exactly as much; a jump (the thumb was
 * dragged) goes where the thumb stands for. When everything fits, both are the same.
 */
export function scrolled(at: Scroll, bar: number, extent: Extent): Scroll {
  const full = extent.rows * extent.rowPx;
  const tall = barHeight(extent);
  if (full === tall) return { top: bar, bar };
  const room = full - extent.viewPx;
  const barRoom = tall - extent.viewPx;
  if (bar <= 0) return { top: 0, bar: 0 };
  if (bar >= barRoom - 1) return { top: room, bar };
  const step = bar - at.bar;
  const isSmall = Math.abs(step) < extent.viewPx * 2;
  const top = isSmall ? at.top + step : (bar / barRoom) * room;
  return { top: clamp(top, 0, room), bar };
}

/** Where the bar belongs for these rows: set when scrolling has come to rest, so that the two never drift apart. */
export function settled(top: number, extent: Extent): Scroll {
  const full = extent.rows * extent.rowPx;
  const tall = barHeight(extent);
  const room = Math.max(0, full - extent.viewPx);
  const kept = clamp(top, 0, room);
  if (full === tall || room === 0) return { top: kept, bar: kept };
  return { top: kept, bar: Math.round((kept / room) * (tall - extent.viewPx)) };
}

/** The first and last row to draw, with a few beyond each edge. */
export function visible(
  top: number,
  { rows, rowPx, viewPx }: Extent,
  beyond = 6,
): { first: number; last: number } {
  const first = Math.max(0, Math.floor(top / rowPx) - beyond);
  const last = Math.min(rows - 1, Math.ceil((top + viewPx) / rowPx) + beyond);
  return { first, last };
}

/** The top that brings a row into view with the least movement. */
export function revealing(row: number, top: number, { rowPx, viewPx }: Extent): number {
  const start = row * rowPx;
  if (start < top) return start;
  if (start + rowPx > top + viewPx) return start + rowPx - viewPx;
  return top;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
