/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import { restOf } from "./dates.ts";
import { shown } from "./shown.ts";

type Refuse = (row: number, message: string) => void;
type Body = Pick<ArrowBuffers, "values">;
type Unit = "second" | "millisecond" | "microsecond" | "nanosecond";

const dateTime = Date.prototype.getTime;
const dayMs = 86_400_000;

/** Milliseconds of a Date; undefined (and the value refused) when it is none, or not a time. */
function timeOf(value: unknown, row: number, refuse: Refuse): number | undefined {
  let time: number;
  try {
    // Not `instanceof`: what only inherits from Date is none, and a proxy's traps are not to run.
    time = dateTime.call(value as Date);
  } catch {
    refuse(row, `takes a Date, not ${shown(value)}.`);
    return undefined;
  }
  if (time === time) return time;
  refuse(row, "takes a Date, not one that is invalid (its time is NaN).");
  return undefined;
}

export function encodeDates(values: readonly unknown[], length: number, refuse: Refuse): Body {
  const days = new Int32Array(length);
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    const time = timeOf(value, i, refuse);
    if (time === undefined) continue;
    if (time % dayMs !== 0)
      refuse(i, "takes a Date at midnight UTC: it is a DATE, without a time of day.");
    days[i] = Math.floor(time / dayMs);
  }
  return { values: new Uint8Array(days.buffer) };
}

export function encodeTimestamps(
  unit: Unit,
): (values: readonly unknown[], length: number, refuse: Refuse) => Body {
  return (values, length, refuse) => {
    const halves = new Int32Array(length * 2);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (value === null || value === undefined) continue;
      const time = timeOf(value, i, refuse);
      if (time === undefined) continue;
      const rest = restOf(value as Date);
      if (unit === "microsecond" && time < 9_007_199_254_740 && time > -9_007_199_254_740) {
        const micros = rest === 0 ? time * 1000 : time * 1000 + Math.floor(rest / 1000);
        const high = Math.floor(micros / 4294967296);
        halves[2 * i] = micros - high * 4294967296;
        halves[2 * i + 1] = high;
      } else setExact(halves, i, unit, time, rest, refuse);
      if (unit === "microsecond" && rest % 1000 !== 0) tooFine(i, unit, refuse);
    }
    return { values: new Uint8Array(halves.buffer) };
  };
}

function setExact(
  halves: Int32Array,
  row: number,
  unit: Unit,
  time: number,
  rest: number,
  refuse: Refuse,
): void {
  if (unit === "second" && (time % 1000 !== 0 || rest !== 0)) tooFine(row, unit, refuse);
  if (unit === "millisecond" && rest !== 0) tooFine(row, unit, refuse);
  const value =
    unit === "second"
      ? BigInt(Math.floor(time / 1000))
      : unit === "millisecond"
        ? BigInt(time)
        : unit === "microsecond"
          ? BigInt(time) * 1000n + BigInt(Math.floor(rest / 1000))
          : BigInt(time) * 1_000_000n + BigInt(rest);
  if (BigInt.asIntN(64, value) !== value) {
    refuse(row, `cannot hold a time that far in ${unit}s.`);
    return;
  }
  halves[2 * row] = Number(BigInt.asIntN(32, value));
  halves[2 * row + 1] = Number(value >> 32n);
}

function tooFine(row: number, unit: Unit, refuse: Refuse): void {
  refuse(
    row,
    `counts whole ${unit}s, and the time has a fraction of one. Round it in the transform.`,
  );
}

const clock = /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/;

export function encodeTimes(values: readonly unknown[], length: number, refuse: Refuse): Body {
  const micros = new BigInt64Array(length);
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    const found = typeof value === "string" ? clock.exec(value) : null;
    const [, hours = "", minutes = "", seconds = "", fraction = ""] = found ?? [];
    const total =
      (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1e6 +
      Number(fraction.padEnd(6, "0"));
    if (!found || Number(minutes) > 59 || Number(seconds) > 59 || total > 86_400e6) {
      refuse(i, `takes a time of day such as "12:34:56.789", not ${shown(value)}.`);
    } else micros[i] = BigInt(total);
  }
  return { values: new Uint8Array(micros.buffer) };
}
