import type { ColumnProfile } from "../grid/profile.ts";

type Bins = { from: number; to: number; count: number }[];

/** Two histograms on one scale: rectangles for before, an outline for after. Undefined where there is nothing to draw. */
export type Distribution = {
  before: { x: number; width: number; y: number; height: number }[];
  after: string;
};

/**
 * Draws both sides in a box. Bins of the two sides may have other edges and widths, so that heights are densities
 * (rows per unit), as shares of each side's rows.
 */
export function distribution(
  before: ColumnProfile | undefined,
  after: ColumnProfile | undefined,
  { width, height }: { width: number; height: number },
): Distribution | undefined {
  const [left, right] = [bins(before), bins(after)];
  const all = [...left, ...right];
  if (all.length === 0) return categories(before, after, { width, height });
  const low = Math.min(...all.map(({ from }) => from));
  const high = Math.max(...all.map(({ to }) => to));
  const span = high - low || 1;
  const x = (value: number) => ((value - low) / span) * width;
  const density = (side: Bins) => {
    const total = side.reduce((sum, bin) => sum + bin.count, 0) || 1;
    return side.map((bin) => ({ ...bin, share: bin.count / total / (bin.to - bin.from || span) }));
  };
  const [densLeft, densRight] = [density(left), density(right)];
  const top = Math.max(...[...densLeft, ...densRight].map(({ share }) => share)) || 1;
  const tall = (share: number) => (share / top) * (height - 1);
  return {
    before: densLeft.map((bin) => ({
      x: x(bin.from),
      width: Math.max(0.5, x(bin.to) - x(bin.from) - 0.5),
      y: height - tall(bin.share),
      height: tall(bin.share),
    })),
    after: outline(densRight, x, (share) => height - tall(share), height),
  };
}

/** Texts and booleans: the commonest values of both sides, each a bar as wide as the others, as shares of all rows. */
function categories(
  before: ColumnProfile | undefined,
  after: ColumnProfile | undefined,
  { width, height }: { width: number; height: number },
): Distribution | undefined {
  const sides = [before, after].map(
    (profile) => new Map(profile?.top.map(({ value, count }) => [String(value), count])),
  );
  const [left = new Map<string, number>(), right = new Map<string, number>()] = sides;
  const found = [...new Set([...left.keys(), ...right.keys()])].slice(0, 12);
  if (found.length === 0) return undefined;
  const isBoolean = found.every((value) => value === "true" || value === "false");
  const values = isBoolean ? found.toSorted() : found;
  const counts = (side: Map<string, number>) => values.map((value) => side.get(value) ?? 0);
  const top = Math.max(...counts(left), ...counts(right)) || 1;
  const step = width / values.length;
  const tall = (count: number) => (count / top) * (height - 1);
  const bars = counts(right).map((count, index) => ({ from: index, to: index + 1, share: count }));
  return {
    before: counts(left).map((count, index) => ({
      x: index * step,
      width: step - 0.5,
      y: height - tall(count),
      height: tall(count),
    })),
    after:
      right.size === 0
        ? ""
        : outline(
            bars,
            (at) => at * step,
            (count) => height - tall(count),
            height,
          ),
  };
}

/** The share of rows in which a boolean is true, of those that are not null. */
export function shareTrue(profile: ColumnProfile | undefined): number | undefined {
  if (profile?.type !== "BOOLEAN") return undefined;
  const of = (wanted: string) =>
    profile.top.find(({ value }) => String(value) === wanted)?.count ?? 0;
  const known = of("true") + of("false");
  return known === 0 ? undefined : of("true") / known;
}

function outline(
  bins: { from: number; to: number; share: number }[],
  x: (value: number) => number,
  y: (share: number) => number,
  floor: number,
): string {
  const [first] = bins;
  if (!first) return "";
  const last = bins.at(-1) ?? first;
  const steps = bins.map((bin) => `V${fixed(y(bin.share))}H${fixed(x(bin.to))}`).join("");
  return `M${fixed(x(first.from))} ${floor}${steps.replaceAll("NaN", String(floor))}V${floor}H${fixed(x(last.to))}`;
}

const fixed = (value: number) => Number(value.toFixed(1));

function bins(profile: ColumnProfile | undefined): Bins {
  return (profile?.bins ?? []).flatMap((bin) => {
    const [from, to] = [asNumber(bin.from), asNumber(bin.to)];
    return from === undefined || to === undefined ? [] : [{ from, to, count: bin.count }];
  });
}

/** Bins of dates come as ISO-like text. */
function asNumber(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string") return undefined;
  const plain = Number(value);
  if (!Number.isNaN(plain)) return plain;
  const date = Date.parse(value.replace(" ", "T"));
  return Number.isNaN(date) ? undefined : date;
}
