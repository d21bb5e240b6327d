import { readPhysical, type Physical } from "../values/arrow-read.ts";
import type { TypedColumn } from "../values/identity.ts";
import type { JsonText } from "../values/json-text.ts";
import { writeLongDigits } from "../values/number-json.ts";
import { byPlace } from "../pipeline/operations.ts";
import { WRITE, type SinkBatch } from "../ports.ts";
import { fieldsWriter, valueWriter } from "../values/row-json.ts";
import { idWriter, segmentWriter } from "./document-id.ts";
import { fieldOf, OWN } from "./field-names.ts";

/** The columns a batch is read by; `routing` is the number of a key column. */
export type BulkShape = {
  key: readonly TypedColumn[];
  columns: readonly TypedColumn[];
  routing: number | undefined;
};

const COMMA = 0x2c;
const OPEN = 0x7b;

const ACTION = Buffer.from('{"index":{"_id":"');
const VERSION = Buffer.from('","version":');
const KIND = Buffer.from(',"version_type":"external_gte"');
const ROUTING = Buffer.from(',"routing":"');
const QUOTE = Buffer.from('"');
const ACTION_END = Buffer.from("}}\n");
const OWN_KEY = Buffer.from(`"${OWN}":{"key":[`);
const OWN_PART = Buffer.from('],"part":');
const OWN_VERSION = Buffer.from(',"version":"');
const OWN_OFFSET = Buffer.from(',"offset":');
const DELETED = Buffer.from(',"deleted":true');

/**
 * Appends one operation of a batch to the body of a `_bulk` request. A clear is a document too, marked deleted: a real delete's version is forgotten
 * after `index.gc_deletes` and at a restart, and an older write arriving late would bring the row back.
 */
export function operationWriter(
  batch: SinkBatch,
  { key, columns, routing }: BulkShape,
): (out: JsonText, operation: number) => void {
  const keys = onlyBatch(batch.keys, key);
  const rows = onlyBatch(batch.rows, columns);
  const writeId = idWriter(key, keys.columns);
  const routed = routing === undefined ? undefined : key[routing];
  const writeRouting =
    routing === undefined || routed === undefined
      ? undefined
      : segmentWriter(routed.type, keys.columns[routing]);
  const keyWriters = key.map(({ type }, i) => valueWriter(type, keys.columns[i]));
  const fields = columns.map(({ name, type }) => ({ name: fieldOf(name), type }));
  const writeFields = fieldsWriter(fields, rows.columns);
  const versions = new DataView(
    batch.version.buffer,
    batch.version.byteOffset,
    batch.version.byteLength,
  );
  const place = byPlace(batch, ({ topic, partition }) =>
    Buffer.from(`","topic":${JSON.stringify(topic)},"partition":${partition}`),
  );
  return (out, i) => {
    const keyRow = batch.keyRow[i] ?? -1;
    const row = batch.row[i] ?? -1;
    const part = batch.part[i] ?? 0;
    const isWrite = batch.kind[i] === WRITE;
    if (keyRow < 0 || keyRow >= keys.length || (isWrite && (row < 0 || row >= rows.length)))
      throw new RangeError("an operation names a row beyond its batch");
    out.raw(ACTION);
    writeId(out, keyRow, part);
    out.raw(VERSION);
    writeLongDigits(out, versions, i * 8);
    out.raw(KIND);
    if (writeRouting !== undefined) {
      out.raw(ROUTING);
      writeRouting(out, keyRow);
      out.raw(QUOTE);
    }
    out.raw(ACTION_END);
    out.byte(OPEN);
    if (isWrite && fields.length > 0) {
      writeFields(out, row);
      out.byte(COMMA);
    }
    out.raw(OWN_KEY);
    for (const [n, write] of keyWriters.entries()) {
      if (n > 0) out.byte(COMMA);
      write(out, keyRow);
    }
    out.raw(OWN_PART);
    out.integer(part);
    out.raw(OWN_VERSION);
    writeLongDigits(out, versions, i * 8);
    out.raw(place(i));
    out.raw(OWN_OFFSET);
    out.integer(batch.offset[i] ?? 0);
    if (!isWrite) out.raw(DELETED);
    out.raw(ACTION_END);
  };
}

function onlyBatch(
  stream: Uint8Array,
  columns: readonly TypedColumn[],
): { length: number; columns: Physical[] } {
  const types = columns.map((column) => column.type);
  const [first, ...rest] = readPhysical(stream, types).filter((batch) => batch.length > 0);
  if (rest.length > 0) throw new RangeError("a sink batch holds one Arrow record batch");
  return first ?? { length: 0, columns: [] };
}
