import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { SchemaConflict } from "./decode.ts";
import type { PipelineId } from "../order/epochs.ts";

export type SeenConflict = SchemaConflict & { seenAt: string };

/** Keeps what writers' schemas a pipeline could not read, once each. Within the caller's transaction. */
export function recordConflicts(
  state: DatabaseSync,
  id: PipelineId,
  conflicts: readonly SchemaConflict[],
  at: string,
): void {
  for (const one of conflicts)
    state
      .prepare(
        `insert into sync_conflicts (environment, name, part, schema_id, subject, writer_schema, reader_schema, conflict, seen_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict do update set subject = coalesce(excluded.subject, subject), reader_schema = excluded.reader_schema, conflict = excluded.conflict, seen_at = excluded.seen_at`,
      )
      .run(
        id.environment,
        id.name,
        one.part,
        one.schemaId,
        one.subject ?? null,
        one.writerSchema,
        one.readerSchema,
        one.conflict,
        at,
      );
}

const rowSchema = z
  .object({
    part: z.enum(["value", "key"]),
    schema_id: z.number(),
    subject: z.string().nullable(),
    writer_schema: z.string(),
    reader_schema: z.string(),
    conflict: z.string(),
    seen_at: z.string(),
  })
  .transform(
    ({
      part,
      schema_id,
      subject,
      writer_schema,
      reader_schema,
      conflict,
      seen_at,
    }): SeenConflict => ({
      part,
      ...(subject === null ? {} : { subject }),
      schemaId: schema_id,
      writerSchema: writer_schema,
      readerSchema: reader_schema,
      conflict,
      seenAt: seen_at,
    }),
  );

/** Newest first. */
export function listConflicts(state: DatabaseSync, id: PipelineId): SeenConflict[] {
  return state
    .prepare(
      "select * from sync_conflicts where environment = ? and name = ? order by seen_at desc",
    )
    .all(id.environment, id.name)
    .map((row) => rowSchema.parse(row));
}
