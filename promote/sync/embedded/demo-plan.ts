/**
 * What the demo's feed sends, as a pure function of a seed and a record's number: so a feed that is killed goes on from the log's own end, and
 * nothing is lost or told differently.
 *
 * Records come in blocks of 100: 90 flights on time, 2 that were held back five blocks earlier (late), 4 corrections of a delay and
 * 2 cancellations of flights some seconds old, 2 exact repeats. About one in 5,000 has a broken field.
 */
export type Planned =
  | { kind: "flight" | "late"; flight: number; isBroken: boolean }
  | { kind: "correction"; flight: number; delayChange: number; isBroken: boolean }
  | { kind: "cancellation"; flight: number };

export const BLOCK = 100;
export const FLIGHTS_PER_BLOCK = 92;
const LATE_BY_BLOCKS = 5;
/** Corrections and cancellations are about flights 10 to 50 blocks old: 3 to 17 s at 300 records a second. */
const AGE_BLOCKS = { least: 10, spread: 40 };
/** The oldest flight a record may be about, counted back from the newest. */
export const REACH = (AGE_BLOCKS.least + AGE_BLOCKS.spread + 1) * FLIGHTS_PER_BLOCK;
const BROKEN_ONE_IN = 5000;

type Slot = "flight" | "late" | "correction" | "cancellation" | "repeat";

export function planRecord(seed: number, n: number): Planned {
  const block = Math.floor(n / BLOCK);
  const { slot, rank } = slotOf(seed, block, n % BLOCK);
  const isBroken = draw(seed, n, 1) % BROKEN_ONE_IN === 0;
  const about = aboutFlight(seed, n, block);
  if (slot === "flight") return { kind: "flight", flight: onTime(seed, block, rank), isBroken };
  if (slot === "late" && block >= LATE_BY_BLOCKS) {
    const flight = heldBack(seed, block - LATE_BY_BLOCKS)[rank] ?? 0;
    return { kind: "late", flight, isBroken };
  }
  if (slot === "correction" && about !== undefined) {
    const delayChange = (draw(seed, n, 2) % 81) - 20;
    return { kind: "correction", flight: about, delayChange, isBroken };
  }
  if (slot === "cancellation" && about !== undefined) {
    return { kind: "cancellation", flight: about };
  }
  return planRecord(seed, repeated(seed, n));
}

/** Shuffled for each block; the first slot is always a flight, so that a repeat has something before it. */
function slotOf(seed: number, block: number, position: number): { slot: Slot; rank: number } {
  const slots = blockSlots(seed, block);
  const slot = slots[position] ?? "flight";
  const rank = slots.slice(0, position).filter((other) => other === slot).length;
  return { slot, rank };
}

let remembered: { seed: number; block: number; slots: Slot[] } | undefined;

function blockSlots(seed: number, block: number): Slot[] {
  if (remembered?.seed === seed && remembered.block === block) return remembered.slots;
  const slots: Slot[] = Array.from({ length: BLOCK }, () => "flight");
  const special: Slot[] = [
    "late",
    "late",
    "correction",
    "correction",
    "correction",
    "correction",
    "cancellation",
    "cancellation",
    "repeat",
    "repeat",
  ];
  let salt = 0;
  for (const slot of special) {
    let at: number;
    do at = 1 + (draw(seed, block, 100 + salt++) % (BLOCK - 1));
    while (slots[at] !== "flight");
    slots[at] = slot;
  }
  remembered = { seed, block, slots };
  return slots;
}

function heldBack(seed: number, block: number): number[] {
  const first = draw(seed, block, 50) % FLIGHTS_PER_BLOCK;
  const second =
    (first + 1 + (draw(seed, block, 51) % (FLIGHTS_PER_BLOCK - 1))) % FLIGHTS_PER_BLOCK;
  return [first, second]
    .toSorted((a, b) => a - b)
    .map((index) => block * FLIGHTS_PER_BLOCK + index);
}

/** The block's flights in order, without those held back. */
function onTime(seed: number, block: number, rank: number): number {
  let flight = block * FLIGHTS_PER_BLOCK + rank;
  for (const held of heldBack(seed, block)) if (held <= flight) flight++;
  return flight;
}

function aboutFlight(seed: number, n: number, block: number): number | undefined {
  const then = block - AGE_BLOCKS.least - (draw(seed, n, 3) % AGE_BLOCKS.spread);
  return then < 0 ? undefined : then * FLIGHTS_PER_BLOCK + (draw(seed, n, 4) % FLIGHTS_PER_BLOCK);
}

function repeated(seed: number, n: number): number {
  return Math.max(0, n - 1 - (draw(seed, n, 5) % 20));
}

/** 32 bits from three numbers (the finaliser of MurmurHash3, Austin Appleby, public domain). */
function draw(seed: number, n: number, salt: number): number {
  let h = (seed ^ Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(salt + 1, 0x85ebca77)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
