import type { KafkaMessage } from "kafkajs";

/** A message of the topic after the transform; `row` is null for a cancelled flight. */
export type Flight = {
  id: number;
  version: number;
  row: {
    id: number;
    date: Date;
    delay: number;
    distance: number;
    origin: string;
    destination: string;
    late: boolean;
  } | null;
};

/** The transform of the pipeline, as a loop has it: in the same process, on plain objects, trusting what it reads. */
export function flightOf({ key, value, offset }: KafkaMessage): Flight {
  const version = Number(offset) + 1;
  if (value === null) return { id: Number(key), version, row: null };
  const read = JSON.parse(value.toString());
  const row = { ...read, date: new Date(`${read.date}Z`), late: read.delay > 15 };
  return { id: row.id, version, row };
}
