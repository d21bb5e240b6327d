import type { Column } from "#snapshots/table.ts";
import { readPhysical, type Physical } from "../values/arrow-read.ts";
import type { LedgerRow } from "../embedded/row-ledger.ts";
import { typedColumns, type TypedColumn } from "../values/identity.ts";
import { JsonText } from "../values/json-text.ts";
import { byPlace } from "../pipeline/operations.ts";
import { WRITE, type SinkBatch, type StoredRow } from "../ports.ts";
import { fieldsWriter, valueWriter } from "../values/row-json.ts";
import { unwrap } from "#snapshots/problem.ts";
import { expiryMs } from "./expiring.ts";
import { strayKey } from "./stray.ts";

/** What a ledger keeps of a row: these columns, and when it expires. */
export type Kept = { output: readonly Column[]; expiresAt?: string };

/** What a batch of effects leaves, as ledger rows; a column it lacks is null. */
export function expectedRows(batch: SinkBatch, kept: Kept): LedgerRow[] {
  const keys = keysOf(batch.keys, batch.contract.key);
  const typed = unwrap(typedColumns(batch.contract.columns));
  const rows = objectsOf(batch.rows, typed);
  const place = byPlace(batch, (one) => one);
  return Array.from({ length: batch.count }, (_, i) => ({
    key: keys[batch.keyRow[i] ?? -1] ?? "",
    part: batch.part[i] ?? 0,
    version: batch.version[i] ?? 0n,
    topic: place(i).topic,
    partition: place(i).partition,
    offset: batch.offset[i] ?? 0,
    ...rowOf(kept, batch.kind[i] === WRITE ? rows(batch.row[i] ?? -1) : null),
  }));
}

export function foundRow(stored: StoredRow, kept: Kept): LedgerRow {
  const { part, version, topic, partition, offset, values, stray } = stored;
  return {
    key: stray === undefined ? JSON.stringify(stored.key) : strayKey(stray),
    part,
    version,
    topic,
    partition,
    offset,
    ...rowOf(kept, values),
  };
}

/** Identities of a batch as the JSON arrays that ledgers go by. */
export function keysOf(stream: Uint8Array, columns: readonly Column[]): string[] {
  const typed = unwrap(typedColumns(columns));
  return batchesOf(stream, typed).flatMap(({ length, columns: physical }) => {
    const writers = typed.map(({ type }, i) => valueWriter(type, physical[i]));
    const out = new JsonText();
    return Array.from({ length }, (_, row) => {
      out.reset();
      out.ascii("[");
      writers.forEach((write, i) => {
        if (i > 0) out.ascii(",");
        write(out, row);
      });
      out.ascii("]");
      return JSON.stringify(JSON.parse(out.bytes.toString("utf8")));
    });
  });
}

function objectsOf(
  stream: Uint8Array,
  typed: readonly TypedColumn[],
): (row: number) => Record<string, unknown> {
  const [batch] = batchesOf(stream, typed);
  if (batch === undefined) return () => ({});
  const write = fieldsWriter(typed, batch.columns);
  const out = new JsonText();
  return (row) => {
    out.reset();
    out.ascii("{");
    write(out, row);
    out.ascii("}");
    return JSON.parse(out.bytes.toString("utf8")) as Record<string, unknown>; // braces around fields
  };
}

function batchesOf(
  stream: Uint8Array,
  typed: readonly TypedColumn[],
): { length: number; columns: Physical[] }[] {
  if (stream.length === 0) return [];
  const types = typed.map(({ type }) => type);
  return readPhysical(stream, types).filter(({ length }) => length > 0);
}

/** The same values give the same text, whoever wrote them. */
function rowOf(
  { output, expiresAt }: Kept,
  values: Record<string, unknown> | null,
): Pick<LedgerRow, "row" | "expiresMs"> {
  if (values === null) return { row: null, expiresMs: undefined };
  return {
    row: JSON.stringify(output.map(({ name }) => [name, values[name] ?? null])),
    expiresMs: expiresAt === undefined ? undefined : expiryMs(values[expiresAt]),
  };
}
