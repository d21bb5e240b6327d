import type { PipelineStatus } from "#promote/sync/sync.ts";
import { isAmongTopics, topicText } from "#snapshots/topic-choice.ts";
import { counted, count } from "../format.ts";
import { looks } from "./state.ts";

/** A rewrite as the API sends it: records below where a partition is read, written again in a new epoch. */
export type Rewrite = {
  rewrite: number;
  topic: string;
  partition: number;
  from: number;
  to?: number;
  epoch?: number;
  release?: string;
  reason: string;
  /** `written`: a backfill's, until every partition is and readers are turned. */
  state: "asked" | "running" | "written" | "done";
  askedAt: string;
  written: number;
  deadLettered: number;
  what:
    | { kind: "all" }
    | { kind: "clears"; identities: number }
    | { kind: "some"; records: number; identities: number };
};

/** What was asked at once, whatever partitions it touches: a replay, a repair, a backfill. */
export type Rewriting = {
  key: string;
  reason: string;
  askedAt: string;
  state: "asked" | "running" | "done";
  parts: Rewrite[];
  partsDone: number;
  written: number;
  deadLettered: number;
};

export const REPLAY = "dead letters replayed";

/** Newest first. */
export function rewritings(rewrites: readonly Rewrite[]): Rewriting[] {
  const groups = new Map<string, Rewrite[]>();
  for (const one of rewrites) {
    const key = `${one.reason}\0${one.askedAt}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const sum = (of: Rewrite[], value: (one: Rewrite) => number) =>
    of.reduce((total, one) => total + value(one), 0);
  return [...groups]
    .map(([key, parts]): Rewriting => {
      const partsDone = parts.filter(({ state }) => state === "done").length;
      const hasBegun = parts.some(({ state }) => state !== "asked");
      return {
        key,
        reason: parts[0]?.reason ?? "",
        askedAt: parts[0]?.askedAt ?? "",
        state: partsDone === parts.length ? "done" : hasBegun ? "running" : "asked",
        parts,
        partsDone,
        written: sum(parts, ({ written }) => written),
        deadLettered: sum(parts, ({ deadLettered }) => deadLettered),
      };
    })
    .toReversed();
}

/** "412 letters", "all records", "3 rows cleared": what a rewriting takes. */
export function scope({ reason, parts }: Rewriting): string {
  if (parts.some(({ what }) => what.kind === "all")) return "all records";
  const some = parts.reduce(
    (total, { what }) =>
      what.kind === "some" ? total + (what.records > 0 ? what.records : what.identities) : total,
    0,
  );
  const clears = parts.reduce(
    (total, { what }) => (what.kind === "clears" ? total + what.identities : total),
    0,
  );
  const said = [
    some > 0 && counted(some, reason === REPLAY ? "letter" : "row"),
    clears > 0 && `${count(clears)} cleared`,
  ].filter((part) => part !== false);
  return said.join(" and ");
}

export function isUnderWay(rewriting: Rewriting): boolean {
  return rewriting.state !== "done";
}

/** Why a rewriting does not go on, if so: the worker that reads a partition is the one that writes it again. */
export function waitsFor(
  rewriting: Rewriting,
  status: Pick<PipelineStatus, "state" | "topic"> | undefined,
): string | undefined {
  if (rewriting.state === "done") return undefined;
  if (status === undefined) return "waits: the pipeline does not run";
  if (["paused", "halted", "stopped"].includes(status.state))
    return `waits: the pipeline is ${looks[status.state].word}`;
  const isRead = isAmongTopics(status.topic);
  const other = rewriting.parts.find(({ state, topic }) => state !== "done" && !isRead(topic));
  return other && `waits: the pipeline reads ${topicText(status.topic)} now, not ${other.topic}`;
}
