/** Units that contribute the same are interchangeable: `columns` holds each kind once, `counts` how many units are of it. */
export type Groups = { columns: Float64Array[]; counts: Float64Array; units: number };

/** Looked at before it is decided whether grouping pays. */
const tried = 100_000;

/**
 * Groups units by what they contribute, exactly: drawing a group of c units is drawing Poisson(c) of them. A metric of true and false
 * has a dozen groups however many records there are; where nearly all differ, each stays a group of its own.
 */
export function groupUnits(columns: Float64Array[]): Groups {
  const units = columns[0]?.length ?? 0;
  const bits = columns.map(
    (column) => new Uint32Array(column.buffer, column.byteOffset, units * 2),
  );
  let capacity = 1024;
  let slots = new Int32Array(capacity).fill(-1);
  const firstOf: number[] = [];
  const hashes: number[] = [];
  const counts: number[] = [];
  for (let unit = 0; unit < units; unit += 1) {
    if (unit === tried && firstOf.length > tried / 2) return ungrouped(columns, units);
    const hash = hashOf(bits, unit);
    let slot = hash & (capacity - 1);
    for (;;) {
      const group = slots[slot] ?? -1;
      if (group < 0) {
        slots[slot] = firstOf.length;
        firstOf.push(unit);
        hashes.push(hash);
        counts.push(1);
        break;
      }
      if (hashes[group] === hash && isSame(bits, firstOf[group] ?? 0, unit)) {
        counts[group] = (counts[group] ?? 0) + 1;
        break;
      }
      slot = (slot + 1) & (capacity - 1);
    }
    if (firstOf.length * 2 <= capacity) continue;
    capacity *= 2;
    slots = placed(hashes, capacity);
  }
  return {
    columns: columns.map((column) => Float64Array.from(firstOf, (unit) => column[unit] ?? 0)),
    counts: Float64Array.from(counts),
    units,
  };
}

function ungrouped(columns: Float64Array[], units: number): Groups {
  return { columns, counts: new Float64Array(units).fill(1), units };
}

function placed(hashes: number[], capacity: number): Int32Array<ArrayBuffer> {
  const slots = new Int32Array(capacity).fill(-1);
  for (const [group, hash] of hashes.entries()) {
    let slot = hash & (capacity - 1);
    while ((slots[slot] ?? -1) >= 0) slot = (slot + 1) & (capacity - 1);
    slots[slot] = group;
  }
  return slots;
}

function hashOf(bits: Uint32Array[], unit: number): number {
  let hash = 0x9e3779b9 | 0;
  for (const column of bits) {
    hash = Math.imul(hash ^ (column[unit * 2] ?? 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ (column[unit * 2 + 1] ?? 0), 0xc2b2ae35);
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}

function isSame(bits: Uint32Array[], one: number, other: number): boolean {
  for (const column of bits) {
    if (column[one * 2] !== column[other * 2]) return false;
    if (column[one * 2 + 1] !== column[other * 2 + 1]) return false;
  }
  return true;
}
