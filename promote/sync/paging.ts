/** What is read of a table or index at once, as a rule: a server has it in memory, and so have we. */
const PAGE_BYTES = 8 << 20;
const FIRST_ROWS = 64;
const MOST_ROWS = 2000;

/** How many rows to ask a server for. It pages by their number, however large they are: how many make a page is learned from those that came. */
export type Paging = {
  rows(): number;
  /** So many rows, in whatever shape. */
  came(values: readonly unknown[], rows: number): void;
  /** A page was too large; false where it was a single row. */
  halve(): boolean;
};

export function openPaging(): Paging {
  let count = FIRST_ROWS;
  return {
    rows: () => count,
    came(values, rows) {
      if (rows === 0) return;
      const fitting = Math.floor((PAGE_BYTES * rows) / Math.max(1, roughBytesOf(values)));
      count = Math.max(1, Math.min(MOST_ROWS, 2 * count, fitting));
    },
    halve() {
      if (count === 1) return false;
      count = Math.ceil(count / 2);
      return true;
    },
  };
}

/** What is not text or bytes is small. */
const SMALL_BYTES = 16;

function roughBytesOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + roughBytesOf(one), 0);
  if (typeof value !== "object" || value === null) return SMALL_BYTES;
  return Object.values(value).reduce<number>((sum, one) => sum + roughBytesOf(one), SMALL_BYTES);
}
