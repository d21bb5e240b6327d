/** A line over its area in a box: the newest value at the right edge, zero at the floor. */
export function spark(
  values: readonly number[],
  { width, height, points }: { width: number; height: number; points: number },
  top: number = Math.max(...values, 0),
): { line: string; area: string } {
  if (values.length === 0) return { line: "", area: "" };
  const shown = values.slice(-points);
  const step = width / Math.max(1, points - 1);
  const start = width - step * (shown.length - 1);
  const y = (value: number) =>
    top <= 0 ? height - 1 : height - 1 - (Math.max(0, value) / top) * (height - 3);
  const line = shown
    .map(
      (value, index) =>
        `${index === 0 ? "M" : "L"}${round(start + index * step)} ${round(y(value))}`,
    )
    .join("");
  return { line, area: `${line}L${round(width)} ${height}L${round(start)} ${height}Z` };
}

const round = (value: number) => Math.round(value * 10) / 10;
