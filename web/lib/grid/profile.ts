import type { ColumnProfile } from "#snapshots/profile.ts";

export type { ColumnProfile };

export type Bar = { x: number; width: number; height: number };

/** A column's shape in a box of 72 × 18: bins for numbers and times, the commonest values for text. */
export function shape(profile: ColumnProfile, width = 72, height = 18): Bar[] {
  const counts = (profile.bins.length > 0 ? profile.bins : profile.top.slice(0, 12)).map(
    ({ count }) => count,
  );
  const most = Math.max(...counts, 1);
  const step = width / Math.max(counts.length, 1);
  const gap = step > 4 ? 1 : step > 2 ? 0.75 : 0.25;
  return counts.map((count, index) => ({
    x: index * step,
    width: Math.max(0.5, step - gap),
    // What is there can be seen, however rare.
    height: count === 0 ? 0 : Math.max(0.8, (count / most) * height),
  }));
}

/** "18 % null", "0 null"; for booleans how many are true. */
export function missing(
  profile: ColumnProfile,
  rows: number,
): { text: string; isNotable: boolean } {
  if (profile.nulls === 0) return { text: "0 null", isNotable: false };
  const share = (profile.nulls / Math.max(rows, 1)) * 100;
  return { text: `${share < 1 ? "< 1" : Math.round(share)} % null`, isNotable: share >= 5 };
}
