import { z } from "zod";
import { cassandraSchema, elasticsearchSchema, kafkaSchema } from "#promote/sync/connections.ts";

/** What a side is asked to do once: read `topic` to its end, and bring every record into fresh sinks under `name`. */
export const taskSchema = z.object({
  to: z.enum(["table and index", "topic"]),
  topic: z.string(),
  name: z.string(),
  /** Records until all is warm, and all of them. */
  warm: z.number(),
  total: z.number(),
  kafka: kafkaSchema,
  cassandra: cassandraSchema,
  elasticsearch: elasticsearchSchema,
});

export type Task = z.infer<typeof taskSchema>;
