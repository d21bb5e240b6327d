/** What a column holds on one side. Texts are DuckDB's for the values. */
export type SideProfile = {
  count: number;
  nulls: number;
  /** Exact up to 100,000 rows, else estimated (HyperLogLog). */
  distinct: number;
  min: string | null;
  /** 5 %, 25 %, 50 %, 75 %, 95 %; estimated (t-digest). Empty for what has no order on a line. */
  quantiles: string[];
  max: string | null;
  /** Of numbers. */
  mean: number | null;
  /** Commonest first; NULL is counted like a value. */
  top: { value: string | null; count: number }[];
};

/** A column on both sides; null where a side lacks it. `bins` are common to both, from the smaller minimum to the greater maximum. */
export type ProfilePair = {
  name: string;
  left: SideProfile | null;
  right: SideProfile | null;
  bins: { from: string; to: string; left: number; right: number }[];
};
