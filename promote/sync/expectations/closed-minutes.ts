import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Problem } from "#snapshots/problem.ts";
import type { PipelineId, Stretch } from "../order/epochs.ts";
import type { TopicReader } from "../ports.ts";
import { inTransaction } from "../state.ts";
import type { Tally } from "./expectations.ts";
import { forgetOldMinutes, readMinutes, recordTallies } from "./history.ts";
import { firstOpen, GRACE_MS, judgeMinutes, MINUTE_MS, type VolumeRule } from "./volume.ts";

export type ClosedMinutesParts = {
  id: PipelineId;
  state: DatabaseSync;
  /** To learn which partitions have nothing more to read. */
  reader: Pick<TopicReader, "incarnation" | "ranges">;
  /** What is read here. */
  held: () => Stretch[];
  /** Whether the pipeline reads a topic. */
  isRead: (topic: string) => boolean;
  now: () => Date;
};

/**
 * Judges the minutes of `volume` rules from what is committed: a minute once nothing of it can be missing any more, whoever reads it. That is when every
 * partition of the topics has committed what comes later (`passed_ms`), or has nothing more to read and brought nothing for a while, or is of a topic
 * that is gone (`caught_up_ms`).
 */
export type ClosedMinutes = {
  /** After a commit that added `tallies`: the minutes found wanting, which are in the history when this returns, each judged by one worker, once. */
  judge(
    rules: readonly VolumeRule[],
    stretch: Stretch,
    tallies: readonly Tally[],
  ): { tallies: Tally[]; halt?: Problem };
  /** Now and then: notes the partitions read here that have nothing more to read, and forgets old minutes. Waits for nothing. */
  look(): void;
};

/** A topic as it was made once. */
type Making = Pick<Stretch, "topic" | "incarnation">;

const LOOK_MS = 15_000;
const FORGET_MS = 3_600_000;

export function openClosedMinutes(parts: ClosedMinutesParts): ClosedMinutes {
  const { id, state, held } = parts;
  const nowMs = (): number => parts.now().getTime();
  const openedMs = nowMs();
  /** When something of a stretch was committed last. */
  const committedMs = new Map<string, number>();
  let known: string | undefined;
  let isAsking = false;
  let lookedMs = -Infinity;
  let forgotMs = -Infinity;

  /** Two rules of a name with a time between in which nothing was counted are two rules. */
  function forgetOthers(rules: readonly VolumeRule[]): void {
    const names = JSON.stringify(rules.map(({ expectation }) => expectation));
    if (names === known) return;
    known = names;
    state
      .prepare(
        `delete from sync_judged_minutes where environment = ? and name = ?
           and expectation not in (select value from json_each(?))`,
      )
      .run(id.environment, id.name, names);
  }

  /** Of the topics that are read, as the stretch's own and the others are made now. */
  function makingsOf(stretch: Stretch): Making[] {
    const others = readMakings(state, id).filter(
      ({ topic }) => topic !== stretch.topic && parts.isRead(topic),
    );
    const own = { topic: stretch.topic, incarnation: stretch.incarnation };
    return [own, ...others].toSorted((a, b) => (a.topic < b.topic ? -1 : 1));
  }

  function judgeRule(
    rule: VolumeRule,
    stretch: Stretch,
    makings: readonly Making[],
    tallies: readonly Tally[],
  ): Tally[] {
    const { expectation } = rule;
    const next = readNext(state, id, expectation, makings);
    if (next === undefined) {
      const first = firstWhole(
        state,
        id,
        stretch,
        makings,
        tallies.filter((tally) => tally.expectation === expectation),
      );
      if (first !== undefined) writeNext(state, id, expectation, makings, first);
      return [];
    }
    const open = firstOpen(readPassed(state, id, makings), nowMs());
    if (next >= open) return [];
    const counted = readMinutes(state, id, expectation, { next, open });
    const failed = judgeMinutes(rule, counted, { next, open }).map(({ minute, why }) => ({
      expectation,
      minute,
      checked: 0,
      failed: 1,
      example: why,
    }));
    recordTallies(state, id, failed);
    writeNext(state, id, expectation, makings, open);
    return failed;
  }

  /** Whether there may be something to judge, without holding up other workers. */
  function isDue({ expectation }: VolumeRule, makings: readonly Making[]): boolean {
    const next = readNext(state, id, expectation, makings);
    return next === undefined || next < firstOpen(readPassed(state, id, makings), nowMs());
  }

  async function noteCaughtUp(askedMs: number): Promise<void> {
    if (!isVolumeJudged(state, id)) return;
    const quiet = held().filter(
      (stretch) => (committedMs.get(keyOf(stretch)) ?? openedMs) <= askedMs - GRACE_MS,
    );
    for (const making of readMakings(state, id).filter(({ topic }) => parts.isRead(topic)))
      if ((await parts.reader.incarnation(making.topic)) !== making.incarnation)
        writeGone(state, id, making, askedMs);
    for (const topic of new Set(quiet.map((stretch) => stretch.topic))) {
      const ranges = await parts.reader.ranges(topic);
      for (const stretch of quiet) {
        const range = ranges.find(
          (one) => one.topic === stretch.topic && one.partition === stretch.partition,
        );
        if (range !== undefined) writeCaughtUp(state, id, stretch, range.end, askedMs);
      }
    }
  }

  return {
    judge(rules, stretch, tallies) {
      committedMs.set(keyOf(stretch), nowMs());
      forgetOthers(rules);
      const makings = rules.length === 0 ? [] : makingsOf(stretch);
      const due = rules.filter((rule) => isDue(rule, makings));
      if (due.length === 0) return { tallies: [] };
      const failed = inTransaction(state, () =>
        due.map((rule) => ({ rule, failed: judgeRule(rule, stretch, makings, tallies) })),
      );
      const halting = failed.find(
        ({ rule, failed }) => rule.severity === "halt" && failed.length > 0,
      );
      return {
        tallies: failed.flatMap((each) => each.failed),
        ...(halting === undefined ? {} : { halt: halted(halting.rule, halting.failed) }),
      };
    },
    look() {
      const atMs = nowMs();
      if (atMs - forgotMs >= FORGET_MS) {
        forgotMs = atMs;
        forgetOldMinutes(state, id, atMs);
      }
      if (isAsking || atMs - lookedMs < LOOK_MS) return;
      isAsking = true;
      lookedMs = atMs;
      // Where the broker cannot say, or the state database is locked just now, minutes stay open until the next time.
      void noteCaughtUp(atMs)
        .catch(() => undefined)
        .finally(() => (isAsking = false));
    },
  };
}

function halted({ expectation }: VolumeRule, [first, ...rest]: readonly Tally[]): Problem {
  const more = rest.length === 0 ? "" : `, and ${rest.length} more such minutes`;
  return {
    code: "expectation-failed",
    message: `The expectation "${expectation}" is not met: ${first?.example}${more}.`,
    hint: "Find out at its source why, or correct the expectation in the source's file, then resume the pipeline: it goes on behind what is written, and the minute is not judged again.",
  };
}

/** What minutes are counted of; a topic more or made again, and counting begins anew. */
function together(makings: readonly Making[]): Making {
  return {
    topic: makings.map(({ topic }) => topic).join(","),
    incarnation: makings.map(({ incarnation }) => incarnation).join(","),
  };
}

function keyOf({ topic, incarnation, partition }: Stretch): string {
  return JSON.stringify([topic, incarnation, partition]);
}

/** The newest of each topic that was ever read. */
function readMakings(state: DatabaseSync, id: PipelineId): Making[] {
  return state
    .prepare(
      "select topic, incarnation, max(epoch) from sync_epochs where environment = ? and name = ? group by topic",
    )
    .all(id.environment, id.name)
    .map((row) => z.object({ topic: z.string(), incarnation: z.string() }).parse(row));
}

const AMONG =
  "environment = :environment and name = :name and (topic, incarnation) in (select value ->> 'topic', value ->> 'incarnation' from json_each(:makings))";

/**
 * The record time before which nothing is missing. All partitions count, whoever reads them; 0 while one is read by nobody yet.
 */
function readPassed(state: DatabaseSync, id: PipelineId, makings: readonly Making[]): number {
  const found = state
    .prepare(
      `select count(*) as begun, coalesce(min(max(passed_ms, caught_up_ms)), 0) as passed,
         (select coalesce(sum(each), 1) from (select max(partitions) as each from sync_epochs where ${AMONG} group by topic)) as partitions
       from sync_offsets where ${AMONG}`,
    )
    .get({ ...id, makings: JSON.stringify(makings) });
  const { begun, passed, partitions } = z
    .object({ begun: z.number(), passed: z.number(), partitions: z.number() })
    .parse(found);
  return begun < partitions ? 0 : passed;
}

/** By any worker: one that has nothing to read has not met the rules. */
function isVolumeJudged(state: DatabaseSync, id: PipelineId): boolean {
  const found = state
    .prepare("select 1 from sync_judged_minutes where environment = ? and name = ? limit 1")
    .get(id.environment, id.name);
  return found !== undefined;
}

/** The first minute of which this and every other partition will be counted as a whole, where a rule is new. */
function firstWhole(
  state: DatabaseSync,
  id: PipelineId,
  { topic, partition }: Stretch,
  makings: readonly Making[],
  tallies: readonly Tally[],
): number | undefined {
  const minutes = tallies.filter(({ checked }) => checked > 0).map(({ minute }) => minute);
  if (minutes.length === 0) return undefined;
  const found = state
    .prepare(
      `select coalesce(max(passed_ms), 0) as passed from sync_offsets
       where ${AMONG} and not (topic = :topic and partition = :partition)`,
    )
    .get({ ...id, makings: JSON.stringify(makings), topic, partition });
  const { passed } = z.object({ passed: z.number() }).parse(found);
  return Math.max(Math.min(...minutes), Math.floor(passed / MINUTE_MS)) + 1;
}

function readNext(
  state: DatabaseSync,
  id: PipelineId,
  expectation: string,
  makings: readonly Making[],
): number | undefined {
  const { topic, incarnation } = together(makings);
  const found = state
    .prepare(
      `select next_minute from sync_judged_minutes
       where environment = ? and name = ? and expectation = ? and topic = ? and incarnation = ?`,
    )
    .get(id.environment, id.name, expectation, topic, incarnation);
  return found === undefined
    ? undefined
    : z.object({ next_minute: z.number() }).parse(found).next_minute;
}

function writeNext(
  state: DatabaseSync,
  id: PipelineId,
  expectation: string,
  makings: readonly Making[],
  next: number,
): void {
  const { topic, incarnation } = together(makings);
  state
    .prepare(
      `insert into sync_judged_minutes (environment, name, expectation, topic, incarnation, next_minute) values (?, ?, ?, ?, ?, ?)
       on conflict do update set topic = excluded.topic, incarnation = excluded.incarnation, next_minute = excluded.next_minute`,
    )
    .run(id.environment, id.name, expectation, topic, incarnation, next);
}

/** Deleted, or made again: nothing more of it comes. */
function writeGone(
  state: DatabaseSync,
  id: PipelineId,
  { topic, incarnation }: Making,
  atMs: number,
): void {
  state
    .prepare(
      "update sync_offsets set caught_up_ms = ? where environment = ? and name = ? and topic = ? and incarnation = ?",
    )
    .run(atMs, id.environment, id.name, topic, incarnation);
}

/** At `atMs` the stretch ended at `end`: it has nothing more to read if that much is committed by now. */
function writeCaughtUp(
  state: DatabaseSync,
  id: PipelineId,
  { topic, incarnation, partition }: Stretch,
  end: number,
  atMs: number,
): void {
  state
    .prepare(
      `update sync_offsets set caught_up_ms = ?
       where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ? and next_offset >= ?`,
    )
    .run(atMs, id.environment, id.name, topic, incarnation, partition, end);
}
