import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { StreamSettings } from "#snapshots/stream-settings.ts";
import type { Column } from "#snapshots/table.ts";
import type { SourceRecord } from "../ports.ts";
import { avroReader, schemaIdOf, type AvroReader } from "./avro/rows.ts";
import { csvRows } from "./csv-rows.ts";
import { decodeBatch, keyColumns, type Decoded } from "./decode.ts";
import { jsonKeys, jsonRows } from "./json-rows.ts";
import { layoutOf, type Contract, type Layout } from "./layout.ts";
import { REGISTRY_AWAY, type Registry } from "./registry.ts";
import type { KeyReader, RowReader } from "./rows.ts";
import { textKeys, textRows } from "./text-rows.ts";

/** What became of a batch. */
export type DecodeOutcome =
  | { kind: "decoded"; decoded: Decoded }
  /** Transient (the schema registry is away): the caller decodes the same records again after `afterMs`. No record has failed. */
  | { kind: "retryAfter"; afterMs: number; problem: Problem }
  /** Needs a person (the registry refuses the credentials): the pipeline stops with this problem. */
  | { kind: "halt"; problem: Problem };

/**
 * Records to columns, by the format their source has. A promise only where a schema must be asked for, so that what needs none is
 * never put off. `key` names the columns of `Decoded.keys`.
 *
 * ```ts
 * const pending = decoder.decode(records, topic, partition);
 * const outcome = pending instanceof Promise ? await pending : pending;
 * ```
 */
export type Decoder = {
  key: Column[];
  decode(
    records: readonly SourceRecord[],
    topic: string,
    partition: number,
  ): DecodeOutcome | Promise<DecodeOutcome>;
};

export type DecoderOptions = Contract & {
  stream: Pick<StreamSettings, "format" | "keyFormat" | "delimiter">;
  /** Where Avro's schemas are. */
  registry?: Registry;
};

const RETRY_MS = 1000;

export function openDecoder(options: DecoderOptions): Result<Decoder> {
  const { stream, registry } = options;
  const read = layoutOf(options);
  if (!read.ok) return read;
  const layout = read.value;
  const isAvroKey = stream.keyFormat === "avro" && !layout.isEvent;
  if ((stream.format === "avro" || isAvroKey) && registry === undefined) return fail(NO_REGISTRY);
  const known: Registry["known"] = (id) => registry?.known(id);
  const avroValue = stream.format === "avro" ? avroReader("value", layout.input, known) : undefined;
  const avroKey = isAvroKey ? avroReader("key", layout.key, known) : undefined;
  const readRow = rowReader(layout, stream, avroValue);
  if (!readRow.ok) return readRow;
  const readKey = keyReader(layout, stream, avroKey);
  if (!readKey.ok) return readKey;
  const readers = { readRow: readRow.value, readKey: readKey.value };
  const key = keyColumns(layout);

  function decodeNow(records: readonly SourceRecord[], partition: number): Decoded {
    return decodeBatch(layout, readers, records, partition);
  }

  async function askFirst(
    from: Registry,
    ids: readonly number[],
    records: readonly SourceRecord[],
    topic: string,
    partition: number,
  ): Promise<DecodeOutcome> {
    const problem = await from.load(ids);
    if (problem?.code === REGISTRY_AWAY) return { kind: "retryAfter", afterMs: RETRY_MS, problem };
    if (problem !== undefined) return { kind: "halt", problem };
    return withConflicts(from, decodeNow(records, partition), topic);
  }

  function withConflicts(
    from: Registry,
    decoded: Decoded,
    topic: string,
  ): DecodeOutcome | Promise<DecodeOutcome> {
    const met = [avroValue, avroKey].flatMap((reader) => reader?.takeConflicts() ?? []);
    if (met.length === 0) return { kind: "decoded", decoded };
    const told = (): DecodeOutcome => {
      const conflicts = met.map((conflict) => {
        const subject = from.subjectOf(conflict.schemaId, `${topic}-${conflict.part}`);
        return subject === undefined ? conflict : { ...conflict, subject };
      });
      return { kind: "decoded", decoded: { ...decoded, conflicts } };
    };
    const asked = from.loadSubjects(met.map(({ schemaId }) => schemaId));
    return asked === undefined ? told() : asked.then(told);
  }

  return ok({
    key,
    decode(records, topic, partition) {
      if (registry === undefined || (avroValue === undefined && avroKey === undefined))
        return { kind: "decoded", decoded: decodeNow(records, partition) };
      const ids = missingIds(records, registry, avroValue !== undefined, avroKey !== undefined);
      return ids.length > 0
        ? askFirst(registry, ids, records, topic, partition)
        : withConflicts(registry, decodeNow(records, partition), topic);
    },
  });
}

function rowReader(
  { input }: Layout,
  { format, delimiter }: DecoderOptions["stream"],
  avro: AvroReader | undefined,
): Result<RowReader> {
  switch (format) {
    case "avro":
      return avro === undefined ? fail(NO_REGISTRY) : ok(avro.readRow);
    case "csv":
      return ok(csvRows(input, delimiter));
    case "text":
      return textRows(input);
    case "json":
      return ok(jsonRows(input));
  }
}

function keyReader(
  { key, isEvent }: Layout,
  { keyFormat }: DecoderOptions["stream"],
  avro: AvroReader | undefined,
): Result<KeyReader> {
  if (avro !== undefined) return ok(avro.readKey);
  return keyFormat === "text" && !isEvent ? textKeys(key) : ok(jsonKeys(key));
}

/** Ids of schemas that nothing is known of, of values and of tombstones' keys: those alone are read. */
function missingIds(
  records: readonly SourceRecord[],
  registry: Registry,
  isAvroValue: boolean,
  isAvroKey: boolean,
): number[] {
  const missing = new Set<number>();
  let last = -1;
  for (const { key, value } of records) {
    const bytes = value === null ? (isAvroKey ? key : null) : isAvroValue ? value : null;
    const id = bytes === null ? undefined : schemaIdOf(bytes);
    if (id === undefined || id === last) continue;
    last = id;
    if (registry.known(id) === undefined) missing.add(id);
  }
  return [...missing];
}

const NO_REGISTRY: Problem = {
  code: "registry-missing",
  message: "The source's stream is Avro, and its environment names no schema registry.",
  hint: "Add `registry: { url: … }` to the environment's file.",
};
