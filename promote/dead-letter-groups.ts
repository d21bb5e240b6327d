import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { foldReason, sharedReason, type Folded } from "./dead-letter-causes.ts";
import type { DeadLetter, Stage } from "./sync/dead-letters.ts";
import type { PipelineId } from "./sync/epochs.ts";

/** Dead letters of one stage and cause. `id` names it in an address: it stays while letters come and go. */
export type LetterGroup = {
  id: string;
  stage: Stage;
  /** What the letters' reasons share; what differs between them is an ellipsis. */
  reason: string;
  count: number;
  /** When the first and the last of them failed. */
  first: string;
  last: string;
};

export type LetterPlace = { topic: string; partition: number; offset: number };

/** A pipeline's dead letters as the page reads them: looks on, changes nothing. Close it. */
export type DeadLetterView = {
  /** The largest group first. */
  groups(id: PipelineId): { total: number; groups: LetterGroup[] };
  /** A group's letters, newest first. */
  letters(
    id: PipelineId,
    group: string,
    page: { offset: number; limit: number },
  ): { total: number; letters: DeadLetter[] };
  /** One record's letter; the newest, where several stages refused it. */
  letter(id: PipelineId, place: LetterPlace): (DeadLetter & { group: string }) | undefined;
  /** Where a group's records are, oldest first. */
  places(id: PipelineId, group: string): LetterPlace[];
  close(): void;
};

/** `statePath`: the workspace's state database, in which the pipelines keep their letters. */
export function openDeadLetterView(statePath: string): DeadLetterView {
  const state = new DatabaseSync(statePath, { readOnly: true, timeout: 10_000 });

  /** Every letter's row and group, newest first; its bytes stay where they are. */
  function* members({ environment, name }: PipelineId): Generator<Member> {
    const rows = state
      .prepare(
        `select rowid, stage, reason, at, topic, partition, record_offset as "offset" from sync_dead_letters
         where environment = ? and name = ? order by rowid desc`,
      )
      .iterate(environment, name);
    for (const row of rows) {
      const parsed = memberRow.parse(row);
      const folded = foldReason(parsed.reason);
      yield { ...parsed, folded, group: groupId(parsed.stage, folded) };
    }
  }

  const membersOf = (id: PipelineId, group: string): Member[] =>
    [...members(id)].filter((member) => member.group === group);

  function letterAt(rowid: number): DeadLetter[] {
    const row = state.prepare("select * from sync_dead_letters where rowid = ?").get(rowid);
    return row === undefined ? [] : [letterOf(row)];
  }

  return {
    groups(id) {
      const groups = new Map<string, LetterGroup & { folded: Folded; differs: Set<number> }>();
      let total = 0;
      for (const { group, stage, at, folded } of members(id)) {
        total++;
        const known = groups.get(group);
        if (known === undefined) {
          const differs = new Set<number>();
          const reason = "";
          groups.set(group, {
            id: group,
            stage,
            reason,
            count: 1,
            first: at,
            last: at,
            folded,
            differs,
          });
          continue;
        }
        known.count++;
        if (at < known.first) known.first = at;
        if (at > known.last) known.last = at;
        folded.values.forEach((value, i) => {
          if (value !== known.folded.values[i]) known.differs.add(i);
        });
      }
      const shown = [...groups.values()].map(({ folded, differs, ...group }): LetterGroup => ({
        ...group,
        reason: sharedReason(folded, differs),
      }));
      return {
        total,
        groups: shown.toSorted((a, b) => b.count - a.count || (a.last < b.last ? 1 : -1)),
      };
    },
    letters(id, group, { offset, limit }) {
      const all = membersOf(id, group);
      const shown = all.slice(offset, offset + limit);
      return { total: all.length, letters: shown.flatMap(({ rowid }) => letterAt(rowid)) };
    },
    letter({ environment, name }, { topic, partition, offset }) {
      const row = state
        .prepare(
          `select * from sync_dead_letters where environment = ? and name = ? and topic = ? and partition = ? and record_offset = ?
           order by rowid desc limit 1`,
        )
        .get(environment, name, topic, partition, offset);
      if (row === undefined) return undefined;
      const letter = letterOf(row);
      return { ...letter, group: groupId(letter.stage, foldReason(letter.reason)) };
    },
    places: (id, group) =>
      membersOf(id, group)
        .toReversed()
        .map(({ topic, partition, offset }) => ({ topic, partition, offset })),
    close: () => state.close(),
  };
}

type Member = z.infer<typeof memberRow> & { folded: Folded; group: string };

function groupId(stage: Stage, { cause }: Folded): string {
  return createHash("sha256").update(`${stage}\0${cause}`).digest("hex").slice(0, 12);
}

// Only the pipelines write it.
const stage = z.string().transform((text) => text as Stage);
const memberRow = z.object({
  rowid: z.number(),
  stage,
  reason: z.string(),
  at: z.string(),
  topic: z.string(),
  partition: z.number(),
  offset: z.number(),
});

const letterRow = z.object({
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  record_offset: z.number(),
  stage,
  reason: z.string(),
  release: z.string(),
  record_key: z.instanceof(Uint8Array).nullable(),
  record_value: z.instanceof(Uint8Array).nullable(),
  headers: z.string(),
  record_at: z.number(),
  at: z.string(),
});

function letterOf(row: unknown): DeadLetter {
  const { record_offset, record_key, record_value, record_at, headers, ...rest } =
    letterRow.parse(row);
  const pairs = z.array(z.tuple([z.string(), z.string()])).parse(JSON.parse(headers));
  return {
    ...rest,
    offset: record_offset,
    key: record_key,
    value: record_value,
    headers: pairs.map(([key, value]) => ({ key, value: Buffer.from(value, "base64") })),
    timestampMs: record_at,
  };
}
