/** How large batches are, so that each gets through every stage in about the same time. */
export type BatchSize = {
  /** Of the next batch. */
  records(): number;
  /** What a stage took for a batch: decoding, the transform, or the writing to all sinks. */
  took(stage: string, records: number, ms: number): void;
};

/** What a batch costs whatever its size would make small ones of small ones, for ever. */
const LEAST = 512;
/** How much the newest batch counts. */
const WEIGHT = 0.3;

/**
 * Sizes batches by the slowest stage, as it lately was: as many records as it does in `latencyMs`. Until one is measured, `most`.
 * Under load a record waits for the batch before it and for its own, so that what a person waits for is a small multiple of this.
 */
export function openBatchSize({ most, latencyMs }: { most: number; latencyMs: number }): BatchSize {
  const msPerRecord = new Map<string, number>();
  return {
    records() {
      const slowest = Math.max(0, ...msPerRecord.values());
      if (slowest === 0) return most;
      return Math.min(most, Math.max(LEAST, Math.round(latencyMs / slowest)));
    },
    took(stage, records, ms) {
      if (records === 0) return;
      const known = msPerRecord.get(stage);
      const now = ms / records;
      msPerRecord.set(stage, known === undefined ? now : known + WEIGHT * (now - known));
    },
  };
}
