import type { KafkaRecord } from "#promote/sync/kafka/producer.ts";
import { partitionOf } from "#promote/sync/kafka/partitioner.ts";

/** A record of the generator, in the partition its producer chooses. */
export type FlightRecord = KafkaRecord & { partition: number };

/** Flights to write to a topic in this order, and where those are that cannot be decoded (`partition/offset`, in a topic that held nothing). */
export type Flights = { records: FlightRecord[]; broken: string[] };

export type FlightsOptions = {
  count: number;
  partitions: number;
  /** Time of the first; each of the others a millisecond later. */
  startMs: number;
  /** Share of records that are broken. */
  broken?: number;
};

/** Of the records: new flights, corrections, cancellations, repeats of the last ones, and repeats of any earlier version, late. */
const SHARES = { fresh: 0.6, corrected: 0.8, cancelled: 0.88, repeated: 0.94 };
const RECENT = 20;

export function flightsOf(random: () => number, options: FlightsOptions): Flights {
  const { count, partitions, startMs, broken: brokenShare = 0.0002 } = options;
  const records: FlightRecord[] = [];
  const broken: string[] = [];
  const sound: FlightRecord[] = [];
  const ends = Array.from({ length: partitions }, () => 0);
  let ids = 0;
  for (let n = 0; n < count; n++) {
    const known = Math.floor(random() * ids);
    const isBroken = random() < brokenShare;
    const record = isBroken
      ? recordOf(known, { ...valueOf(known, random), delay: "N/A" }, partitions)
      : draw(known);
    const offset = ends[record.partition] ?? 0;
    ends[record.partition] = offset + 1;
    if (isBroken) broken.push(`${record.partition}/${offset}`);
    else sound.push(record);
    records.push({ ...record, timestampMs: startMs + n });
  }
  return { records, broken };

  function draw(known: number): FlightRecord {
    const share = random();
    if (share < SHARES.fresh || ids === 0) {
      const id = ids++;
      return recordOf(id, valueOf(id, random), partitions);
    }
    if (share < SHARES.corrected) return recordOf(known, valueOf(known, random), partitions);
    if (share < SHARES.cancelled) return recordOf(known, null, partitions);
    const back = share < SHARES.repeated ? random() * RECENT : random() * sound.length;
    return (
      sound[Math.max(0, sound.length - 1 - Math.floor(back))] ??
      recordOf(known, valueOf(known, random), partitions)
    );
  }
}

export function recordOf(
  id: number,
  value: Record<string, unknown> | null,
  partitions: number,
): FlightRecord {
  const key = Buffer.from(String(id));
  return {
    key,
    value: value === null ? null : Buffer.from(JSON.stringify(value)),
    timestampMs: 0,
    partition: partitionOf(key, partitions),
  };
}

const ORIGINS = ["DEN", "SFO", "ORD", "A long name of an airport"];

export function valueOf(id: number, random: () => number): Record<string, unknown> {
  return {
    id,
    date: "2001-04-01T00:05:00",
    delay: Math.floor(random() * 120) - 40,
    distance: id % 3000,
    origin: ORIGINS[Math.floor(random() * ORIGINS.length)],
    destination: "MSY",
  };
}

/** mulberry32 (Tommy Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
