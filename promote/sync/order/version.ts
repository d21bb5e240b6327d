/**
 * Version of an effect: `epoch·2^42 + offset·2 + kind` (kind 0 clear, 1 write), a positive 64-bit integer.
 * Newer wins. Within an epoch the offset orders; a later epoch beats every offset of an earlier one.
 */
export const FIRST_EPOCH = 1024;
export const MAX_EPOCH = 2 ** 21 - 1;
const MAX_OFFSET = 2 ** 41 - 1;

export function versionOf(epoch: number, offset: number, kind: 0 | 1): bigint {
  check(epoch, offset);
  return (BigInt(epoch) << 42n) + (BigInt(offset) << 1n) + BigInt(kind);
}

export function partsOfVersion(version: bigint): { epoch: number; offset: number; kind: 0 | 1 } {
  return {
    epoch: Number(version >> 42n),
    offset: Number((version >> 1n) & 0x1ffffffffffn),
    kind: (version & 1n) === 1n ? 1 : 0,
  };
}

/**
 * Of the records of a transition, which is opened when a topic's partitions are increased: its keys move between partitions, so their time orders
 * them. All partitions' have the same number and the same `untilMs`.
 */
export type Transition = {
  /** The first of the epoch numbers that it takes up. */
  transition: number;
  /** When all producers know the partitions. */
  untilMs: number;
  /** The partition's first offset in it. */
  origin: number;
};

/** How many epoch numbers a transition takes up; the next epoch begins after them. */
export const TRANSITION_SPAN = 8192;
/** Before and after `untilMs`: about six days. */
const WINDOW_MS = 2 ** 29;
/** What of the time before the window is told apart: nearly seventy years. */
const PAST_MS = 2 ** 41 - WINDOW_MS;
/** The largest distance of two offsets, in milliseconds of the window. */
const FARTHEST_MS = 2 ** 18;

/** Writes versions into a column without making a bigint a value (10 times faster). Little-endian, as Arrow and DuckDB are. */
export function versionWriter(
  target: BigInt64Array,
): (index: number, epoch: number, offset: number, kind: 0 | 1) => void {
  const halves = new Uint32Array(target.buffer, target.byteOffset, target.length * 2);
  return (index, epoch, offset, kind) => {
    check(epoch, offset);
    const low = offset * 2 + kind;
    halves[index * 2] = low % 0x100000000;
    halves[index * 2 + 1] = epoch * 1024 + Math.floor(low / 0x100000000);
  };
}

/**
 * As `versionWriter`, for a transition: `transition·2^42 + (2^53 + time + offset - origin)·2 + kind`. The time is counted from a window around
 * `untilMs`: 2^23 for each millisecond in it, 2^12 before it. So in one partition records of one time are in offset order, however many they are;
 * and times of different partitions compare, but for a millisecond for each 8,388,608 (before the window: 4,096) offsets that lie between.
 */
export function transitionVersionWriter(
  target: BigInt64Array,
): (index: number, of: Transition, timestampMs: number, offset: number, kind: 0 | 1) => void {
  const halves = new Uint32Array(target.buffer, target.byteOffset, target.length * 2);
  return (index, { transition, untilMs, origin }, timestampMs, offset, kind) => {
    check(transition, offset);
    check(transition + TRANSITION_SPAN - 1, origin);
    const ms = Math.floor(timestampMs) - (Math.floor(untilMs) - WINDOW_MS);
    const inWindow = Math.min(2 * WINDOW_MS - FARTHEST_MS - 1, Math.max(-PAST_MS, ms));
    // A double holds neither the whole nor its low half with all that is carried from it, so what is above 2^32 is taken apart.
    const perHigh = inWindow < 0 ? 2 ** 19 : 2 ** 8;
    const high = Math.floor(inWindow / perHigh);
    const low = (inWindow - high * perHigh) * (2 ** 32 / perHigh) + (offset - origin) * 2 + kind;
    const carried = Math.floor(low / 2 ** 32);
    halves[index * 2] = low - carried * 2 ** 32;
    halves[index * 2 + 1] = transition * 1024 + 2 ** 22 + high + carried;
  };
}

function check(epoch: number, offset: number): void {
  if (!(epoch >= FIRST_EPOCH && epoch <= MAX_EPOCH))
    throw new RangeError(`epoch ${epoch} is not within ${FIRST_EPOCH}..${MAX_EPOCH}`);
  if (!(offset >= 0 && offset <= MAX_OFFSET))
    throw new RangeError(`offset ${offset} is not within 0..${MAX_OFFSET}`);
}
