import type { DeadLetter } from "./dead-letters.ts";
import type { KafkaRecord } from "../kafka/producer.ts";
import type { Header } from "../ports.ts";

/** Of the reason's header. The state database has the whole reason. */
const REASON_BYTES = 4096;
const EMPTY = new Uint8Array();

/** What a record's size is made of, in the order in which it is left out. */
const PARTS = ["value", "headers", "key"] as const;
type Part = (typeof PARTS)[number];

type Form = { omit: number; hasOwnTime: boolean };
const WHOLE: Form = { omit: 0, hasOwnTime: true };

/**
 * A dead letter as a record of a topic, with Kafka Connect's headers (KIP-298), so that tools that know those read ours. Its own headers come
 * first, as they were; key, value and time are the record's.
 *
 * Where the topic finds it too large, one part more is left out at a time, and `penstock.PART.omitted` has its size in bytes. The value left out is empty:
 * null would be a tombstone, and a beginning of it could pass for a record. Where the topic does not take its time, it has the time it failed.
 */
export function deadLetterRecord(letter: DeadLetter, pipeline: string, form = WHOLE): KafkaRecord {
  const parts = PARTS.filter((part) => sizeOf(letter, part) > 0);
  const omitted = parts.slice(0, form.omit);
  const has = (part: Part): boolean => !omitted.includes(part);
  return {
    key: has("key") ? letter.key : null,
    value: has("value") ? letter.value : EMPTY,
    timestampMs: form.hasOwnTime ? letter.timestampMs : Date.parse(letter.at),
    headers: [
      ...(has("headers") ? letter.headers : []),
      text("__connect.errors.topic", letter.topic),
      text("__connect.errors.partition", letter.partition),
      text("__connect.errors.offset", letter.offset),
      text("__connect.errors.connector.name", pipeline),
      text("__connect.errors.stage", letter.stage),
      text("__connect.errors.exception.class.name", "Penstock"),
      text("__connect.errors.exception.message", cut(letter.reason)),
      text("penstock.release", letter.release),
      text("penstock.failed.at", letter.at),
      ...(form.hasOwnTime ? [] : [text("penstock.timestamp", letter.timestampMs)]),
      ...omitted.map((part) => text(`penstock.${part}.omitted`, sizeOf(letter, part))),
    ],
    instead(refusedFor) {
      const next =
        refusedFor === "time"
          ? form.hasOwnTime && { ...form, hasOwnTime: false }
          : omitted.length < parts.length && { ...form, omit: form.omit + 1 };
      return next === false ? undefined : deadLetterRecord(letter, pipeline, next);
    },
  };
}

function sizeOf({ key, value, headers }: DeadLetter, part: Part): number {
  switch (part) {
    case "value":
      return value?.length ?? 0;
    case "key":
      return key?.length ?? 0;
    case "headers":
      return headers.reduce(
        (sum, header) => sum + Buffer.byteLength(header.key) + header.value.length,
        0,
      );
  }
}

function text(key: string, value: string | number): Header {
  return { key, value: Buffer.from(String(value)) };
}

/** At most so many bytes as UTF-8, and no half character. */
function cut(reason: string): string {
  if (Buffer.byteLength(reason) <= REASON_BYTES) return reason;
  const room = new Uint8Array(REASON_BYTES - Buffer.byteLength("…"));
  const { read } = new TextEncoder().encodeInto(reason, room);
  return `${reason.slice(0, read)}…`;
}
