import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId, Stretch } from "./epochs.ts";
import type { Header, SourceRecord } from "./ports.ts";

/** Where a record failed: `decode`, `validate` (an expectation), `transform`, or `sink:NAME`. */
export type Stage = "decode" | "validate" | "transform" | `sink:${string}`;

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

export function deadLetter(
  stretch: Stretch,
  record: SourceRecord,
  failure: { stage: Stage; reason: string; release: string; at: string },
): DeadLetter {
  const { offset, key, value, headers, timestampMs } = record;
  return { ...stretch, ...failure, offset, key, value, headers, timestampMs };
}

export function insertDeadLetters(
  state: DatabaseSync,
  id: PipelineId,
  letters: readonly DeadLetter[],
): void {
  if (letters.length === 0) return;
  const insert = state.prepare(
    `insert or replace into sync_dead_letters (environment, name, topic, incarnation, partition, record_offset, stage, reason,
       release, record_key, record_value, headers, record_at, at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (const letter of letters) {
    const headers = letter.headers.map(({ key, value }) => [
      key,
      Buffer.from(value).toString("base64"),
    ]);
    insert.run(
      id.environment,
      id.name,
      letter.topic,
      letter.incarnation,
      letter.partition,
      letter.offset,
      letter.stage,
      letter.reason,
      letter.release,
      letter.key,
      letter.value,
      JSON.stringify(headers),
      letter.timestampMs,
      letter.at,
    );
  }
}

/** What passed after all: within the caller's transaction. */
export function removeDeadLetters(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  offsets: readonly number[],
): void {
  const remove = state.prepare(
    "delete from sync_dead_letters where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ? and record_offset = ?",
  );
  for (const offset of offsets)
    remove.run(
      id.environment,
      id.name,
      stretch.topic,
      stretch.incarnation,
      stretch.partition,
      offset,
    );
}

/** Where the records are that a sink refused, or that an expectation kept from every sink. */
export function sinkRefusals(
  state: DatabaseSync,
  id: PipelineId,
  sink: string,
): (Stretch & { offset: number })[] {
  const place = z.object({
    topic: z.string(),
    incarnation: z.string(),
    partition: z.number(),
    offset: z.number(),
  });
  return state
    .prepare(
      `select topic, incarnation, partition, record_offset as "offset" from sync_dead_letters where environment = ? and name = ? and stage in (?, 'validate')`,
    )
    .all(id.environment, id.name, `sink:${sink}`)
    .map((row) => place.parse(row));
}

const rowSchema = z.object({
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  record_offset: z.number(),
  stage: z.string(),
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
  return { total: z.object({ total: z.number() }).parse(count).total, letters: rows.map(letterOf) };
}

function letterOf(row: unknown): DeadLetter {
  const r = rowSchema.parse(row);
  const headers = z.array(z.tuple([z.string(), z.string()])).parse(JSON.parse(r.headers));
  return {
    topic: r.topic,
    incarnation: r.incarnation,
    partition: r.partition,
    offset: r.record_offset,
    stage: r.stage as Stage, // only insertDeadLetters writes it
    reason: r.reason,
    release: r.release,
    key: r.record_key,
    value: r.record_value,
    headers: headers.map(([key, value]) => ({ key, value: Buffer.from(value, "base64") })),
    timestampMs: r.record_at,
    at: r.at,
  };
}
