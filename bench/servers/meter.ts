import { processesUsage } from "./usage.ts";

/** What one run of a pipeline, or of the loop beside it, came to after it was warm. */
export type Measured = {
  perSecond: number;
  /** Of this process and its children (the guest), where the system tells. */
  cpuSecondsPer100k: number;
  peakBytes: number;
  /** Mean resident memory in each tenth of the way. */
  bytesInTenths: number[];
  /** From a record's own time to its commit. */
  p99Ms: number;
};

const SAMPLE_MS = 250;
/** Without a record for so long, nothing comes any more. */
const STALLED_MS = 60_000;
/** Delays are counted by the millisecond, so that what measures stays the same size; longer ones count as this long. */
const LONGEST_MS = 60_000;

export type Meter = {
  /** Records, by their own times, that are now done: durable where they go, and committed. */
  finished(timesMs: readonly number[]): void;
  fail(reason: Error): void;
  done: Promise<Measured>;
};

/** Measures from the `warm`th finished record to the `total`th. `onFirst`: something is finished, so all is running. */
export function openMeter(warm: number, total: number, onFirst: () => void): Meter {
  const { promise, resolve, reject } = Promise.withResolvers<Measured>();
  const memory: { count: number; bytes: number }[] = [];
  const delays = new Float64Array(LONGEST_MS + 1);
  let count = 0;
  let lastAtMs = performance.now();
  let begun: { atMs: number; count: number; cpuSeconds: number } | undefined;

  const sample = (): void => {
    memory.push({ count, bytes: processesUsage().bytes });
    if (performance.now() - lastAtMs > STALLED_MS)
      reject(new Error(`stood still after ${count} of ${total} records`));
  };
  const timer = setInterval(sample, SAMPLE_MS);

  function result(from: NonNullable<typeof begun>): Measured {
    const records = count - from.count;
    const { cpuSeconds } = processesUsage();
    const tenth = (at: number): number => Math.floor(((at - from.count) / records) * 10);
    return {
      perSecond: (records / (performance.now() - from.atMs)) * 1000,
      cpuSecondsPer100k: ((cpuSeconds - from.cpuSeconds) / records) * 100_000,
      peakBytes: Math.max(...memory.map(({ bytes }) => bytes)),
      bytesInTenths: Array.from({ length: 10 }, (_, i) =>
        mean(memory.filter((at) => tenth(at.count) === i).map(({ bytes }) => bytes)),
      ).filter((bytes) => !Number.isNaN(bytes)),
      p99Ms: percentile(delays, 0.99),
    };
  }

  return {
    done: promise.finally(() => clearInterval(timer)),
    fail: reject,
    finished(timesMs) {
      const nowMs = Date.now();
      if (count === 0) onFirst();
      count += timesMs.length;
      lastAtMs = performance.now();
      if (begun === undefined) {
        if (count < warm) return;
        begun = { atMs: performance.now(), count, cpuSeconds: processesUsage().cpuSeconds };
        return;
      }
      for (const timeMs of timesMs) {
        const delayMs = Math.min(LONGEST_MS, Math.max(0, nowMs - timeMs));
        delays[delayMs] = (delays[delayMs] ?? 0) + 1;
      }
      if (count < total) return;
      sample();
      resolve(result(begun));
    },
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of values that are counted in buckets of one. */
function percentile(counts: Float64Array, share: number): number {
  let left = counts.reduce((sum, count) => sum + count, 0) * share;
  return counts.findIndex((count) => (left -= count) <= 0);
}
