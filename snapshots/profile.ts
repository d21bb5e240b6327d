/** What a column holds, at a glance. `min`, `max` and `top` are texts as docs/types.md writes them in JSON. */
export type ColumnProfile = {
  name: string;
  type: string;
  nulls: number;
  /** Approximate (HyperLogLog). */
  distinct: number;
  min: string | null;
  max: string | null;
  mean?: number;
  /** Equal widths between min and max; empty for what has no order on a line. */
  bins: { from: string; to: string; count: number }[];
  top: { value: string | null; count: number }[];
};
