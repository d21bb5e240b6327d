import type { SourceRecord } from "../ports.ts";

/** Records of one minute of record time, as the history has them. */
export type MinuteCount = { minute: number; checked: number };

/** The usual number of records a minute, times `lower` and `upper`, is what a minute may have. */
export type VolumeRule = {
  expectation: string;
  severity: "flag" | "halt";
  lower: number;
  upper: number;
};

export const MINUTE_MS = 60_000;
/** History is kept this long, by the clock. */
export const KEPT_MINUTES = 30 * 24 * 60;
/** Clocks differ: what is dated later than this ahead has another time than it says. */
export const AHEAD_MINUTES = 10;
/** Later than this after its end nothing of a minute is waited for. */
export const GRACE_MS = 60_000;
/** The usual is the median of this many minutes with records, of which there must be at least so many. */
export const BACK = 60;
const LEAST = 10;

/**
 * Records by the minute of their own time, so that catching up after a standstill is no flood. A time that is long forgotten or far ahead is no
 * minute that could be judged: those records are told of in `elsewhere`.
 */
export function countMinutes(
  records: readonly SourceRecord[],
  nowMs: number,
): { counts: MinuteCount[]; elsewhere?: string } {
  const now = Math.floor(nowMs / MINUTE_MS);
  const counts = new Map<number, number>();
  let others = 0;
  let first: SourceRecord | undefined;
  for (const record of records) {
    const minute = Math.floor(record.timestampMs / MINUTE_MS);
    if (minute <= now - KEPT_MINUTES || minute > now + AHEAD_MINUTES) {
      others++;
      first ??= record;
    } else counts.set(minute, (counts.get(minute) ?? 0) + 1);
  }
  return {
    counts: [...counts].map(([minute, checked]) => ({ minute, checked })),
    ...(first === undefined ? {} : { elsewhere: toldOf(first, others) }),
  };
}

function toldOf({ offset, timestampMs }: SourceRecord, records: number): string {
  const date = new Date(timestampMs);
  const time = Number.isNaN(date.getTime()) ? `${timestampMs} ms` : date.toISOString();
  const rest = records === 1 ? "" : `, and so are ${records - 1} more`;
  return `offset ${offset}: its time, ${time}, is no minute of the last 30 days${rest}; not counted`;
}

/**
 * The record time that a batch shows its partition to have come to: the latest that two records in a row have reached, since one alone may have
 * a wrong time. What is dated after now says nothing. 0 where there is none.
 */
export function passedBy(records: readonly SourceRecord[], nowMs: number): number {
  const times = records.map(({ timestampMs }) => timestampMs).filter((time) => time <= nowMs);
  if (times.length === 1) return Math.max(0, times[0] ?? 0);
  let passedMs = 0;
  for (let i = 1; i < times.length; i++)
    passedMs = Math.max(passedMs, Math.min(times[i - 1] ?? 0, times[i] ?? 0));
  return passedMs;
}

/** The first minute that is not over yet where every partition has come to `passedMs`. */
export function firstOpen(passedMs: number, nowMs: number): number {
  return Math.floor((Math.min(passedMs, nowMs) - GRACE_MS) / MINUTE_MS);
}

/**
 * Minutes from `next` to before `open` that are not as usual, also those without a record: of these, an hour's after the last one that has some. `counted`: the
 * minutes with records, oldest first, with at least an hour's before `next`.
 */
export function judgeMinutes(
  rule: VolumeRule,
  counted: readonly MinuteCount[],
  { next, open }: { next: number; open: number },
): { minute: number; why: string }[] {
  const failures: { minute: number; why: string }[] = [];
  const before: number[] = [];
  let last: number | undefined;

  function judge(minute: number, count: number): void {
    const usual = before.length < LEAST ? undefined : medianOf(before);
    if (minute < next || usual === undefined) return;
    if (count >= usual * rule.lower && count <= usual * rule.upper) return;
    const at = new Date(minute * MINUTE_MS).toISOString().slice(0, 16);
    failures.push({ minute, why: `${count} records in the minute ${at}Z, usually ${usual}` });
  }

  function judgeSilence(to: number): void {
    if (last === undefined) return;
    const from = Math.max(next, last + 1);
    for (let minute = from; minute < Math.min(to, last + 1 + BACK); minute++) judge(minute, 0);
  }

  for (const { minute, checked } of counted) {
    if (minute >= open) break;
    judgeSilence(minute);
    judge(minute, checked);
    before.push(checked);
    if (before.length > BACK) before.shift();
    last = minute;
  }
  judgeSilence(open);
  return failures;
}

function medianOf(counts: readonly number[]): number {
  const sorted = counts.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
