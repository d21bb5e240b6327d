/** What a timestamp has beyond milliseconds, kept with its `Date` so that one handed on untouched is written without loss. */
const rest = Symbol.for("penstock.date.rest");
type Rest = { milliseconds: number; nanoseconds: number };

/** A `Date` for nanoseconds since 1970, or undefined where `Date` cannot reach. */
export function dateFromNanoseconds(nanoseconds: bigint): Date | undefined {
  const below = Number(((nanoseconds % 1_000_000n) + 1_000_000n) % 1_000_000n);
  const milliseconds = Number((nanoseconds - BigInt(below)) / 1_000_000n);
  if (Math.abs(milliseconds) > 8.64e15) return undefined;
  const date = new Date(milliseconds);
  if (below !== 0) {
    const value: Rest = { milliseconds, nanoseconds: below };
    Object.defineProperty(date, rest, { value, enumerable: false });
  }
  return date;
}

/** Nanoseconds since 1970; undefined for an invalid `Date`. A rest counts only while the `Date` still shows the time it came with. */
export function dateNanoseconds(date: Date): bigint | undefined {
  const milliseconds = date.getTime();
  if (Number.isNaN(milliseconds)) return undefined;
  const kept = (date as { [rest]?: Rest })[rest];
  const below = kept?.milliseconds === milliseconds ? kept.nanoseconds : 0;
  return BigInt(milliseconds) * 1_000_000n + BigInt(below);
}
