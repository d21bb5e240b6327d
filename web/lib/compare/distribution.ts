import type { ProfilePair } from "#snapshots/diff-profile.ts";

/** Two histograms on one scale: rectangles for before, an outline for after. */
export type Distribution = {
  before: { x: number; width: number; y: number; height: number }[];
  after: string;
};

/** Draws both sides' bins in a box, heights as shares of each side's values. Undefined where there are no bins. */
export function distribution(
  { bins }: Pick<ProfilePair, "bins">,
  { width, height }: { width: number; height: number },
): Distribution | undefined {
  const places = [...bins.map(({ from }) => from), ...bins.slice(-1).map(({ to }) => to)].map(
    onLine,
  );
  const [low, high] = [places[0] ?? Number.NaN, places.at(-1) ?? Number.NaN];
  if (places.length === 0 || places.some((place) => !Number.isFinite(place))) return undefined;
  const span = high - low;
  const x = (value: number) => (span === 0 ? 0 : ((value - low) / span) * width);
  const total = (side: "left" | "right") => bins.reduce((sum, bin) => sum + bin[side], 0) || 1;
  const [left, right] = [total("left"), total("right")];
  const shares = bins.map((bin) => ({
    from: x(onLine(bin.from)),
    to: span === 0 ? width : x(onLine(bin.to)),
    left: bin.left / left,
    right: bin.right / right,
  }));
  const top = Math.max(...shares.flatMap((bin) => [bin.left, bin.right])) || 1;
  const tall = (share: number) => (share / top) * (height - 1);
  const outline = shares.map(
    (bin, index) =>
      `${shares[index - 1]?.to === bin.from || index === 0 ? "" : `V${height}H${fixed(bin.from)}`}V${fixed(height - tall(bin.right))}H${fixed(bin.to)}`,
  );
  return {
    before: shares.map((bin) => ({
      x: bin.from,
      width: Math.max(0.5, bin.to - bin.from - 0.5),
      y: height - tall(bin.left),
      height: tall(bin.left),
    })),
    after: `M${fixed(shares[0]?.from ?? 0)} ${height}${outline.join("")}V${height}`,
  };
}

const fixed = (value: number) => Number(value.toFixed(1));

/** Bins' edges are DuckDB's text for a number, a date or a timestamp. */
function onLine(text: string): number {
  const plain = Number(text);
  return text === "" || Number.isNaN(plain) ? Date.parse(text.replace(" ", "T")) : plain;
}

/** Values of either side's commonest, with how often each is on both; undefined: not among that side's commonest. */
export function commonest({ left, right }: Pick<ProfilePair, "left" | "right">): {
  value: string | null;
  left: number | undefined;
  right: number | undefined;
}[] {
  const [before, after] = [left, right].map(
    (side) => new Map(side?.top.map(({ value, count }) => [value, count])),
  );
  const values = [...new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])];
  const most = (value: string | null) => Math.max(before?.get(value) ?? 0, after?.get(value) ?? 0);
  return values
    .map((value) => ({ value, left: before?.get(value), right: after?.get(value) }))
    .toSorted((a, b) => most(b.value) - most(a.value));
}
