import type { Batch } from "./check.ts";

/** Records of one minute of record time, as the history has them; `failed`: the minute was found wanting. */
export type MinuteCount = { minute: number; checked: number; failed: number };

export type VolumeRule = { lower: number; upper?: number };

export type VolumeTally = { minute: number; checked: number; failed: number; example?: string };

const MINUTE_MS = 60_000;
/** Later than this after its end nothing is waited for. */
const GRACE_MS = 60_000;
/** The usual is the median of this many minutes with records, of which there must be at least so many. */
const BACK = 60;
const LEAST = 10;

/**
 * Records per minute against the stream's own history, which the state database holds: so counts survive a restart and
 * are those of all workers. Minutes are of record time, so that catching up after a standstill is no flood. A minute is judged once
 * it is over by the clock and by what every partition read lately has reached; minutes without any record between two are judged too.
 */
export function openVolume(
  rule: VolumeRule,
  readHistory: () => readonly MinuteCount[],
): (batch: Batch) => VolumeTally[] {
  const reached = new Map<number, { newestMs: number; seenMs: number }>();
  let next: number | undefined;

  function isOver(minute: number, nowMs: number): boolean {
    const end = (minute + 1) * MINUTE_MS + GRACE_MS;
    const lately = [...reached.values()].filter(({ seenMs }) => seenMs > nowMs - GRACE_MS);
    return nowMs >= end && lately.every(({ newestMs }) => newestMs >= end);
  }

  return ({ records, partition, nowMs }) => {
    const counts = new Map<number, number>();
    let newestMs = reached.get(partition)?.newestMs ?? 0;
    for (const { timestampMs } of records) {
      const minute = Math.floor(timestampMs / MINUTE_MS);
      counts.set(minute, (counts.get(minute) ?? 0) + 1);
      if (timestampMs > newestMs && timestampMs <= nowMs) newestMs = timestampMs;
    }
    if (records.length > 0) reached.set(partition, { newestMs, seenMs: nowMs });
    const tallies: VolumeTally[] = [...counts].map(([minute, checked]) => ({
      minute,
      checked,
      failed: 0,
    }));
    const first = Math.min(...[...counts.keys()].filter((minute) => minute * MINUTE_MS <= nowMs));
    if (next === undefined && Number.isFinite(first)) next = first;
    if (next === undefined || !isOver(next, nowMs)) return tallies;
    const history = new Map(readHistory().map((entry) => [entry.minute, entry]));
    next = Math.max(next, Math.floor(newestMs / MINUTE_MS) - BACK);
    for (; isOver(next, nowMs); next++) {
      const why = judge(rule, history, next);
      if (why !== undefined) tallies.push({ minute: next, checked: 0, failed: 1, example: why });
    }
    return tallies;
  };
}

function judge(
  { lower, upper = Infinity }: VolumeRule,
  history: ReadonlyMap<number, MinuteCount>,
  minute: number,
): string | undefined {
  const own = history.get(minute);
  if (own !== undefined && own.failed > 0) return undefined;
  const before = [...history.values()]
    .filter((entry) => entry.minute < minute && entry.checked > 0)
    .toSorted((a, b) => b.minute - a.minute)
    .slice(0, BACK)
    .map(({ checked }) => checked)
    .toSorted((a, b) => a - b);
  if (before.length < LEAST) return undefined;
  const usual = before[before.length >> 1] ?? 0;
  const count = own?.checked ?? 0;
  if (count >= usual * lower && count <= usual * upper) return undefined;
  const at = new Date(minute * MINUTE_MS).toISOString().slice(0, 16);
  return `${count} records in the minute ${at}Z, usually ${usual}`;
}
