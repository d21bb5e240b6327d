import type { ScalarName, SqlType } from "#snapshots/types.ts";
import { itemType, type Physical } from "./arrow-read.ts";
import type { JsonText } from "./json-text.ts";
import { writeDate, writeMoment, writeTime } from "./moment-json.ts";
import { writeDecimal, writeLong, writeUnsignedLong, writeWide } from "./number-json.ts";

/** Writes the value at a row as JSON (docs/types.md, column JSON), straight from Arrow's buffers. */
export type WriteValue = (out: JsonText, row: number) => void;

/** The fields of a row, `"a":1,"b":null`, without the braces around them: a sink puts its own beside them. */
export function fieldsWriter(
  fields: readonly { name: string; type: SqlType }[],
  columns: readonly Physical[],
): WriteValue {
  const writers = fields.map(({ name, type }, i) => ({
    before: Buffer.from(`${i === 0 ? "" : ","}${JSON.stringify(name)}:`),
    write: valueWriter(type, columns[i]),
  }));
  return (out, row) => {
    for (const { before, write } of writers) {
      out.raw(before);
      write(out, row);
    }
  };
}

const NULL = Buffer.from("null");

export function valueWriter(type: SqlType, column: Physical | undefined): WriteValue {
  if (column === undefined) return (out) => out.raw(NULL);
  const write = presentWriter(type, column);
  const { valid } = column;
  if (valid === undefined) return write;
  return (out, row) => {
    if (isSet(valid, row)) write(out, row);
    else out.raw(NULL);
  };
}

function presentWriter(type: SqlType, column: Physical): WriteValue {
  switch (column.kind) {
    case "bits": {
      const { data } = column;
      return (out, row) => out.raw(isSet(data, row) ? TRUE : FALSE);
    }
    case "bytes":
      return bytesWriter(type, column);
    case "list":
      return listWriter(type, column);
    case "struct":
      return structWriter(type, column.fields);
    case "fixed": {
      const view = new DataView(column.data.buffer, column.data.byteOffset, column.data.byteLength);
      if (type.kind === "decimal")
        return (out, row) => writeDecimal(out, view, row * 16, type.scale);
      if (type.kind !== "scalar") throw new RangeError(`${type.kind} has no fixed width`);
      return fixedWriter(type.name, view);
    }
  }
}

const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");

function bytesWriter(type: SqlType, column: Physical & { kind: "bytes" }): WriteValue {
  const { offsets, data } = column;
  const isBlob = type.kind === "scalar" && type.name === "BLOB";
  return (out, row) => {
    const from = offsets[row] ?? 0;
    const to = offsets[row + 1] ?? 0;
    if (from < 0 || to < from || to > data.length)
      throw new RangeError("an Arrow text lies outside its buffer");
    out.byte(QUOTE);
    if (isBlob) out.ascii(Buffer.from(data.subarray(from, to)).toString("hex"));
    else out.escaped(data, from, to);
    out.byte(QUOTE);
  };
}

function listWriter(type: SqlType, column: Physical & { kind: "list" }): WriteValue {
  const { offsets, item } = column;
  const write =
    type.kind === "map" && item.kind === "struct"
      ? pairWriter(type, item.fields)
      : valueWriter(itemType(type), item);
  return (out, row) => {
    const from = offsets[row] ?? 0;
    const to = offsets[row + 1] ?? 0;
    if (from < 0 || to > item.length) throw new RangeError("an Arrow list lies outside its items");
    out.byte(OPEN_LIST);
    for (let i = from; i < to; i++) {
      if (i > from) out.byte(COMMA);
      write(out, i);
    }
    out.byte(CLOSE_LIST);
  };
}

function pairWriter(type: SqlType & { kind: "map" }, fields: readonly Physical[]): WriteValue {
  const writeKey = valueWriter(type.key, fields[0]);
  const writeItem = valueWriter(type.value, fields[1]);
  return (out, row) => {
    out.byte(OPEN_LIST);
    writeKey(out, row);
    out.byte(COMMA);
    writeItem(out, row);
    out.byte(CLOSE_LIST);
  };
}

function structWriter(type: SqlType, fields: readonly Physical[]): WriteValue {
  const write = fieldsWriter(type.kind === "struct" ? type.fields : [], fields);
  return (out, row) => {
    out.byte(OPEN);
    write(out, row);
    out.byte(CLOSE);
  };
}

function fixedWriter(name: ScalarName, view: DataView): WriteValue {
  switch (name) {
    case "TINYINT":
      return (out, row) => out.integer(view.getInt8(row));
    case "UTINYINT":
      return (out, row) => out.integer(view.getUint8(row));
    case "SMALLINT":
      return (out, row) => out.integer(view.getInt16(row * 2, true));
    case "USMALLINT":
      return (out, row) => out.integer(view.getUint16(row * 2, true));
    case "INTEGER":
      return (out, row) => out.integer(view.getInt32(row * 4, true));
    case "UINTEGER":
      return (out, row) => out.integer(view.getUint32(row * 4, true));
    case "BIGINT":
      return (out, row) => writeLong(out, view, row * 8);
    case "UBIGINT":
      return (out, row) => writeUnsignedLong(out, view, row * 8);
    case "HUGEINT":
      return (out, row) => writeWide(out, view, row * 16, true);
    case "UHUGEINT":
      return (out, row) => writeWide(out, view, row * 16, false);
    case "FLOAT":
      return (out, row) => writeFloat(out, view.getFloat32(row * 4, true));
    case "DOUBLE":
      return (out, row) => writeFloat(out, view.getFloat64(row * 8, true));
    case "DATE":
      return (out, row) => writeDate(out, view.getInt32(row * 4, true));
    case "TIME":
      return (out, row) => writeTime(out, view, row * 8);
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
    case "TIMESTAMP_NS":
    case "TIMESTAMP WITH TIME ZONE":
      return (out, row) => writeMoment(out, view, row * 8, name);
    default:
      throw new RangeError(`${name} has no fixed width`);
  }
}

/** JSON has no text for what is not finite; −0 keeps its sign, which `String` drops. */
function writeFloat(out: JsonText, value: number): void {
  if (Number.isInteger(value) && Math.abs(value) < 1e15 && !Object.is(value, -0))
    out.integer(value);
  else if (Number.isFinite(value)) out.ascii(value === 0 ? "-0.0" : String(value));
  else out.ascii(`"${value}"`);
}

export function isSet(bitmap: Uint8Array, row: number): boolean {
  return (((bitmap[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
