/** How large batches are. */
export type Tuning = {
  maxRecords: number;
  maxBytes: number;
  /** After less than is enough (gathered.ts), how long to let records gather before the next poll. */
  lingerMs: number;
};

/** Each record is an operation for every part its transform may make. */
const MOST_OPERATIONS = 262_144;

export function recordsAtOnce({ maxRecords }: Tuning, maxParts: number): number {
  return Math.max(1, Math.min(maxRecords, Math.floor(MOST_OPERATIONS / maxParts)));
}

/** Batches on their way to the sinks at a time. */
export const BATCHES_AT_ONCE = 4;

const LATENCY_MS = 250;
/**
 * Of the latency target. What is left is for the batch's own way through the stages, which takes the longer the more has gathered, and for
 * moments in which the servers have other work: then more gathers by itself (gathered.ts).
 */
const GATHERING = 0.2;
/** The same where each commit is written to a file of ours: it costs more, and nothing else is in its way. */
const LINGERING = 0.5;

/** How long a broker lets records gather for their batch. */
export function gatherMs(latencyMs = LATENCY_MS): number {
  return latencyMs * GATHERING;
}

/**
 * A batch is what comes within the latency target, or all that may be in one where more is waiting: then the largest batches are the quickest way
 * to catch up. `gathers`: the source lets records gather by itself, as a broker does.
 */
export function tuningOf(latencyMs: number | undefined, gathers: boolean): Tuning {
  const lingerMs = gathers ? 0 : (latencyMs ?? LATENCY_MS) * LINGERING;
  return { maxRecords: 16_384, maxBytes: 8 << 20, lingerMs };
}
