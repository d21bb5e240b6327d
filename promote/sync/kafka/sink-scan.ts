import { z } from "zod";
import type { SourceRecord, StoredRow, TopicReader } from "../ports.ts";
import { OFFSET, PART, PARTITION, TOPIC, VERSION } from "./sink-records.ts";

const values = z.record(z.string(), z.unknown());
const numbered = z.strictObject({ key: z.unknown(), part: z.int() });

/** The newest version of each key and part in the topic, as it stands now; all of them are held in memory. */
export async function newestRows(
  reader: TopicReader,
  topic: string,
  keyColumns: number,
  columns: readonly string[],
): Promise<StoredRow[]> {
  const newest = new Map<string, { version: bigint; record: SourceRecord }>();
  for (const { partition, first, end } of await reader.ranges(topic)) {
    for await (const records of reader.read(topic, partition, first, end)) {
      for (const record of records) {
        if (record.key === null) continue;
        const key = Buffer.from(record.key).toString("latin1");
        const version = BigInt(headerOf(record, VERSION) ?? -1);
        const held = newest.get(key);
        if (version >= 0 && (held === undefined || held.version <= version))
          newest.set(key, { version, record });
      }
    }
  }
  return [...newest.values()].map(({ version, record }) =>
    storedRow(version, record, keyColumns, columns),
  );
}

function storedRow(
  version: bigint,
  record: SourceRecord,
  keyColumns: number,
  columns: readonly string[],
): StoredRow {
  const part = Number(headerOf(record, PART) ?? 0);
  const parsed = parse(record.key);
  const identity = part > 0 ? numbered.parse(parsed).key : parsed;
  const row = record.value === null ? null : values.parse(parse(record.value));
  return {
    key: keyColumns === 1 ? [identity] : z.array(z.unknown()).parse(identity),
    part,
    version,
    topic: headerOf(record, TOPIC) ?? "",
    partition: Number(headerOf(record, PARTITION)),
    offset: Number(headerOf(record, OFFSET)),
    // A column that came later is null in rows from before.
    values: row && Object.fromEntries(columns.map((name) => [name, row[name] ?? null])),
  };
}

function parse(bytes: Uint8Array | null): unknown {
  return JSON.parse(Buffer.from(bytes ?? []).toString("utf8"));
}

function headerOf({ headers }: SourceRecord, name: string): string | undefined {
  const found = headers.find(({ key }) => key === name);
  return found === undefined ? undefined : Buffer.from(found.value).toString();
}
