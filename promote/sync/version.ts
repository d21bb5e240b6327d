/**
 * Version of an effect: `epoch·2^42 + offset·2 + kind` (kind 0 clear, 1 write), a positive 64-bit integer.
 * Newer wins. Within an epoch the offset orders; a later epoch beats every offset of an earlier one.
 */
export const FIRST_EPOCH = 1024;
const MAX_EPOCH = 2 ** 21 - 1;
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
 * A transition epoch, opened when a topic's partitions are increased, orders by the records' own time, because its keys move
 * between partitions: `epoch·2^42 + timestampMs·2^14 + tie·2 + kind`. It takes this many epoch numbers, the next epoch begins after them.
 */
export const TRANSITION_SPAN = 8192;
const MAX_TIMESTAMP = 2 ** 41 - 1;
const TIES = 8192;

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
 * As `versionWriter`, for a transition epoch. Records of one millisecond keep their order within a partition by `sequence`, their distance
 * from the epoch's first offset.
 */
export function transitionVersionWriter(
  target: BigInt64Array,
): (index: number, epoch: number, timestampMs: number, sequence: number, kind: 0 | 1) => void {
  const halves = new Uint32Array(target.buffer, target.byteOffset, target.length * 2);
  return (index, epoch, timestampMs, sequence, kind) => {
    check(epoch, 0);
    const time = Math.min(MAX_TIMESTAMP, Math.max(0, Math.floor(timestampMs)));
    const lowTime = time % 2 ** 18;
    halves[index * 2] = lowTime * 2 ** 14 + (sequence % TIES) * 2 + kind;
    halves[index * 2 + 1] = epoch * 1024 + (time - lowTime) / 2 ** 18;
  };
}

function check(epoch: number, offset: number): void {
  if (!(epoch >= FIRST_EPOCH && epoch <= MAX_EPOCH))
    throw new RangeError(`epoch ${epoch} is not within ${FIRST_EPOCH}..${MAX_EPOCH}`);
  if (!(offset >= 0 && offset <= MAX_OFFSET))
    throw new RangeError(`offset ${offset} is not within 0..${MAX_OFFSET}`);
}
