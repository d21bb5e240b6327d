import { number } from "../format.ts";

/** A metric for the eye: four significant digits, whole where it is whole. */
export function metricText(value: number | null): string {
  if (value === null) return "–";
  return number(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
}

export type Move = {
  text: string;
  relative?: string;
  word: "higher" | "lower" | "same" | "unknown";
  isWorse: boolean | undefined;
};

/** What became of a metric: the difference with its sign, and whether that is the wrong way where a way is declared. */
export function move(
  before: number | null,
  after: number | null,
  better: "higher" | "lower" | null = null,
): Move {
  if (before === null || after === null) return { text: "–", word: "unknown", isWorse: undefined };
  const difference = after - before;
  if (difference === 0) return { text: "0", word: "same", isWorse: undefined };
  const word = difference > 0 ? "higher" : "lower";
  const relative =
    before === 0
      ? {}
      : { relative: `${signed((difference / Math.abs(before)) * 100, 3)} % of before` };
  return {
    text: signed(difference, 3),
    ...relative,
    word,
    isWorse: better ? word !== better : undefined,
  };
}

/** A difference for the eye: three digits, with its sign. */
export function signedText(value: number): string {
  return signed(value, 3);
}

/** Both ends to two digits of the interval's width: more would say more than is known. */
export function intervalText({ low, high }: { low: number; high: number }): string {
  const width = high - low;
  if (!(width > 0)) return `${signedText(low)} … ${signedText(high)}`;
  const digits = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(width))));
  return `${fixed(low, digits)} … ${fixed(high, digits)}`;
}

function fixed(value: number, digits: number): string {
  const text = Math.abs(value).toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return value < 0 ? `−${text}` : value > 0 ? `+${text}` : text;
}

/** How far a line through no difference must reach, so that every interval is on it. */
export function widestOf(
  outcomes: readonly {
    difference: number | null;
    interval: { low: number; high: number } | null;
  }[],
): number {
  return Math.max(
    0,
    ...outcomes.flatMap(({ difference, interval }) => [
      Math.abs(difference ?? 0),
      Math.abs(interval?.low ?? 0),
      Math.abs(interval?.high ?? 0),
    ]),
  );
}

function signed(value: number, digits: number): string {
  const text = number(Number(value.toPrecision(digits)));
  return value > 0 ? `+${text}` : text;
}
