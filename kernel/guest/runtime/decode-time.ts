/* oxlint-disable unicorn/no-new-array -- sized once: these loops run per value */
import { TimeUnit } from "@uwdata/flechette";
import { dateWithRest } from "./dates.ts";
import { isValid, type Physical } from "./physical.ts";

/** The farthest a JavaScript Date reaches, in milliseconds either way. */
const farthest = 8.64e15;
const RealDate = Date;

export function decodeDate(days: Int32Array, length: number): Date[] {
  const decoded: Date[] = new Array(length);
  for (let i = 0; i < length; i += 1) decoded[i] = new RealDate((days[i] as number) * 86_400_000);
  return decoded;
}

/** Units of a second, and nanoseconds in one. */
const scales: Record<number, { perSecond: number; nanoseconds: number }> = {
  [TimeUnit.SECOND]: { perSecond: 1, nanoseconds: 1e9 },
  [TimeUnit.MILLISECOND]: { perSecond: 1e3, nanoseconds: 1e6 },
  [TimeUnit.MICROSECOND]: { perSecond: 1e6, nanoseconds: 1e3 },
  [TimeUnit.NANOSECOND]: { perSecond: 1e9, nanoseconds: 1 },
};

export function decodeTimestamp(
  part: Physical,
  unit: number,
  refuse: (row: number, message: string) => void,
): (Date | null)[] {
  const scale = scales[unit];
  if (!scale) throw new Error(`A timestamp of unit ${unit} is not one that Penstock carries.`);
  const { perSecond } = scale;
  const halves = new Int32Array(part.values.buffer, part.values.byteOffset, part.length * 2);
  const decoded: (Date | null)[] = new Array(part.length);
  for (let i = 0; i < part.length; i += 1) {
    const high = halves[2 * i + 1] as number;
    const value = high * 4294967296 + ((halves[2 * i] as number) >>> 0);
    if (high < 0x200000 && high >= -0x200000) {
      // Whole and exact: below 2^53. Microseconds first, the common unit.
      if (perSecond === 1e6) {
        const milliseconds = Math.floor(value / 1000);
        const micros = value - milliseconds * 1000;
        decoded[i] =
          micros === 0 ? new RealDate(milliseconds) : dateWithRest(milliseconds, micros * 1000);
        continue;
      }
      if (perSecond <= 1e3) {
        decoded[i] = new RealDate(value * (1e3 / perSecond));
        continue;
      }
    }
    decoded[i] = slow(part, i, scale, refuse);
  }
  return decoded;
}

function slow(
  part: Physical,
  row: number,
  { perSecond, nanoseconds }: { perSecond: number; nanoseconds: number },
  refuse: (row: number, message: string) => void,
): Date | null {
  if (!isValid(part, row)) return null;
  const raw = (part.values as BigInt64Array)[row] ?? 0n;
  const perMillisecond = BigInt(Math.max(1, perSecond / 1e3));
  const whole = perSecond === 1 ? raw * 1000n : floorDivide(raw, perMillisecond);
  const rest = perSecond === 1 ? 0n : raw - whole * perMillisecond;
  const milliseconds = Number(whole);
  if (milliseconds > farthest || milliseconds < -farthest) {
    refuse(
      row,
      "a timestamp that far (or infinite) cannot be a Date. Cast it in the source, or filter it there.",
    );
    return null;
  }
  return dateWithRest(milliseconds, Number(rest) * nanoseconds);
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/** Times of day in microseconds, as DuckDB writes them: 12:34:56 or 12:34:56.789. */
export function decodeTime(values: BigInt64Array, length: number): string[] {
  return Array.from({ length }, (_, i) => {
    const micros = Number(values[i]);
    const seconds = Math.floor(micros / 1e6);
    const fraction = String(micros % 1e6)
      .padStart(6, "0")
      .replace(/0+$/, "");
    const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const text = clock.map((part) => String(part).padStart(2, "0")).join(":");
    return fraction === "" ? text : `${text}.${fraction}`;
  });
}
