/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
/** What a JavaScript Date cannot hold: the time below a millisecond. Kept beside an untouched Date, so that it encodes without loss. */
const rests = new WeakMap<Date, { milliseconds: number; nanoseconds: number }>();
const RealDate = Date;
const getTime = Date.prototype.getTime;
let anyRest = false;

/** A Date of whole milliseconds and the nanoseconds (1 to 999,999) after them. */
export function dateWithRest(milliseconds: number, nanoseconds: number): Date {
  const date = new RealDate(milliseconds);
  if (nanoseconds !== 0) {
    anyRest = true;
    rests.set(date, { milliseconds, nanoseconds });
  }
  return date;
}

/** Nanoseconds after the Date's millisecond; 0 when the Date was set to another time since. */
export function restOf(date: Date): number {
  if (!anyRest) return 0;
  const kept = rests.get(date);
  return kept !== undefined && kept.milliseconds === getTime.call(date) ? kept.nanoseconds : 0;
}
