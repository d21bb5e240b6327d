import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId, Stretch } from "../order/epochs.ts";
import type { Header, SourceRecord } from "../ports.ts";

/** Where a record failed: `decode`, `validate` (an expectation), `transform`, or `sink:NAME`. */
export type Stage = "decode" | "validate" | "transform" | `sink:${string}`;

export function isStage(text: string): text is Stage {
  return /^(decode|validate|transform|sink:.+)$/.test(text);
}

/** A record that could not pass, with its bytes as they came and the reason. */
export type DeadLetter = Stretch & {
  offset: number;
  stage: Stage;
  /** Names the column and value, or the transform's line; written for a person. */
  reason: string;
  release: string;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: readonly Header[];
  /** The record's own time, and when it failed. */
  timestampMs: number;
  at: string;
};

/** Which letter: of one record there may be one of each stage, of one offset one of each making of its topic. */
export type LetterPlace = Pick<
  DeadLetter,
  "topic" | "incarnation" | "partition" | "offset" | "stage"
>;

export function deadLetter(
  stretch: Stretch,
  record: SourceRecord,
  failure: { stage: Stage; reason: string; release: string; at: string },
): DeadLetter {
  const { offset, key, value, headers, timestampMs } = record;
  return { ...stretch, ...failure, offset, key, value, headers, timestampMs };
}

/** Within the caller's transaction. What was dismissed and fails again for the same reason stays dismissed; for another, its letter is back. */
export function insertDeadLetters(
  state: DatabaseSync,
  id: PipelineId,
  letters: readonly DeadLetter[],
): void {
  if (letters.length === 0) return;
  const insert = state.prepare(
    `insert or replace into sync_dead_letters (environment, name, topic, incarnation, partition, record_offset, stage, reason,
       release, record_key, record_value, headers, record_at, at, dismissed_at, dismissed_by)
     select :environment, :name, :topic, :incarnation, :partition, :offset, :stage, :reason,
       :release, :key, :value, :headers, :recordAt, :at, known.dismissed_at, known.dismissed_by
     from (select 1) left join sync_dead_letters as known on known.environment = :environment and known.name = :name
       and known.topic = :topic and known.incarnation = :incarnation and known.partition = :partition
       and known.record_offset = :offset and known.stage = :stage and known.reason = :reason`,
  );
  for (const letter of letters) {
    const headers = letter.headers.map(({ key, value }) => [
      key,
      Buffer.from(value).toString("base64"),
    ]);
    insert.run({
      environment: id.environment,
      name: id.name,
      topic: letter.topic,
      incarnation: letter.incarnation,
      partition: letter.partition,
      offset: letter.offset,
      stage: letter.stage,
      reason: letter.reason,
      release: letter.release,
      key: letter.key,
      value: letter.value,
      headers: JSON.stringify(headers),
      recordAt: letter.timestampMs,
      at: letter.at,
    });
  }
}

/** Records of a stretch that were handled again have the letters they have now, and no other. Within the caller's transaction. */
export function replaceDeadLetters(
  state: DatabaseSync,
  id: PipelineId,
  { topic, incarnation, partition }: Stretch,
  offsets: readonly number[],
  letters: readonly DeadLetter[],
): void {
  const stages = new Map<number, Stage[]>();
  for (const { offset, stage } of letters)
    stages.set(offset, [...(stages.get(offset) ?? []), stage]);
  const remove = state.prepare(
    `delete from sync_dead_letters where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?
       and record_offset = ? and stage not in (select value from json_each(?))`,
  );
  for (const offset of offsets) {
    const failed = JSON.stringify(stages.get(offset) ?? []);
    remove.run(id.environment, id.name, topic, incarnation, partition, offset, failed);
  }
  insertDeadLetters(state, id, letters);
}

/** Where the records are that a sink refused, or that an expectation kept from every sink, these `isWhole`; dismissed or not, they are not in it. */
export function sinkRefusals(
  state: DatabaseSync,
  id: PipelineId,
  sink: string,
): (Stretch & { offset: number; isWhole: boolean })[] {
  const place = z.object({
    topic: z.string(),
    incarnation: z.string(),
    partition: z.number(),
    offset: z.number(),
    isWhole: z.number().transform((whole) => whole === 1),
  });
  return state
    .prepare(
      `select topic, incarnation, partition, record_offset as "offset", stage = 'validate' as "isWhole" from sync_dead_letters where environment = ? and name = ? and stage in (?, 'validate')`,
    )
    .all(id.environment, id.name, `sink:${sink}`)
    .map((row) => place.parse(row));
}

export const deadLetterRow = z.object({
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  record_offset: z.number(),
  // Only insertDeadLetters writes it.
  stage: z.string().transform((text) => text as Stage),
  reason: z.string(),
  release: z.string(),
  record_key: z.instanceof(Uint8Array).nullable(),
  record_value: z.instanceof(Uint8Array).nullable(),
  headers: z.string(),
  record_at: z.number(),
  at: z.string(),
});

/** Newest first. */
export function listDeadLetters(
  state: DatabaseSync,
  id: PipelineId,
  page: { offset: number; limit: number },
): { total: number; letters: DeadLetter[] } {
  const count = state
    .prepare("select count(*) as total from sync_dead_letters where environment = ? and name = ?")
    .get(id.environment, id.name);
  const rows = state
    .prepare(
      "select * from sync_dead_letters where environment = ? and name = ? order by rowid desc limit ? offset ?",
    )
    .all(id.environment, id.name, page.limit, page.offset);
  return {
    total: z.object({ total: z.number() }).parse(count).total,
    letters: rows.map((row) => letterOf(deadLetterRow.parse(row))),
  };
}

export function letterOf(row: z.infer<typeof deadLetterRow>): DeadLetter {
  const headers = z.array(z.tuple([z.string(), z.string()])).parse(JSON.parse(row.headers));
  return {
    topic: row.topic,
    incarnation: row.incarnation,
    partition: row.partition,
    offset: row.record_offset,
    stage: row.stage,
    reason: row.reason,
    release: row.release,
    key: row.record_key,
    value: row.record_value,
    headers: headers.map(([key, value]) => ({ key, value: Buffer.from(value, "base64") })),
    timestampMs: row.record_at,
    at: row.at,
  };
}
