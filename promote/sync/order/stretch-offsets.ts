import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId, Stretch } from "./epochs.ts";

/** The offset after the last finished record; undefined where the stretch was never read. */
export function readOffset(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
): number | undefined {
  const found = state
    .prepare(
      "select next_offset from sync_offsets where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?",
    )
    .get(id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition);
  return found === undefined
    ? undefined
    : z.object({ next_offset: z.number() }).parse(found).next_offset;
}

/**
 * Makes a worker the one that moves the stretch's offset, and says where that is by now: at `offset` where nobody has moved it. In one statement: what
 * another worker commits before counts, what it still has in flight counts no more.
 */
export function claimStretch(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  owner: string,
  offset: number,
): number {
  const claimed = state
    .prepare(
      `insert into sync_offsets (environment, name, topic, incarnation, partition, next_offset, owner) values (?, ?, ?, ?, ?, ?, ?)
       on conflict do update set owner = excluded.owner returning next_offset`,
    )
    .get(
      id.environment,
      id.name,
      stretch.topic,
      stretch.incarnation,
      stretch.partition,
      offset,
      owner,
    );
  return z.object({ next_offset: z.number() }).parse(claimed).next_offset;
}

/** As if nobody had begun to read it. */
export function forgetStretch(state: DatabaseSync, id: PipelineId, stretch: Stretch): void {
  state
    .prepare(
      "delete from sync_offsets where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?",
    )
    .run(id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition);
}

/** Whether no other worker has taken the stretch. */
export function ownsStretch(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  owner: string,
): boolean {
  const other = state
    .prepare(
      "select 1 from sync_offsets where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ? and owner <> ?",
    )
    .get(id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition, owner);
  return other === undefined;
}

/** Takes the stretch's offset back, so that what lies behind is handled again. */
export function rewindStretch(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  offset: number,
): void {
  state
    .prepare(
      "update sync_offsets set next_offset = ? where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?",
    )
    .run(offset, id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition);
}
