import type { TypedColumn } from "../values/identity.ts";
import { converterFor, Refusal, show, type Converted, type Kept } from "../values/json-values.ts";
import { holdsJson, mayRound, parseExactly } from "./exact-json.ts";
import { missingNull, textOf, type KeyReader, type RowReader } from "./rows.ts";

type ColumnReader = {
  name: string;
  nullable: boolean;
  convert: (value: unknown) => Converted;
  isInherited: boolean;
  /** What is sent as JSON is kept as that: its numbers are nobody's to round. */
  isExact: boolean;
};

function readerOf(column: TypedColumn): ColumnReader {
  return {
    name: column.name,
    nullable: column.nullable,
    convert: converterFor(column.type),
    isInherited: column.name in {},
    isExact: holdsJson(column.type),
  };
}

/** A JSON object by column name (docs/types.md, column JSON). What the contract does not name is passed over. */
export function jsonRows(input: readonly TypedColumn[]): RowReader {
  const columns = input.map(readerOf);
  const hasExact = columns.some(({ isExact }) => isExact);
  const read = (text: string, row: Kept[]): string | undefined => {
    const parsed = parseJson(text);
    if (parsed === undefined) return `the value is not JSON: ${show(text)}`;
    const object = parsed.value;
    if (typeof object !== "object" || object === null || Array.isArray(object))
      return `the value is ${show(object)}, which is not an object`;
    const fields = object as Record<string, unknown>; // a JSON object, compared in the line above
    const exact =
      hasExact && mayRound(text) ? (parseExactly(text) as Record<string, unknown>) : fields; // the same
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c];
      if (column === undefined) continue;
      const from = column.isExact ? exact : fields;
      const field =
        column.isInherited && !Object.hasOwn(from, column.name) ? undefined : from[column.name];
      if (field === undefined) return `column \`${column.name}\` is missing`;
      if (field === null) {
        if (!column.nullable) return missingNull(column.name);
        row[c] = null;
        continue;
      }
      const converted = column.convert(field);
      if (converted instanceof Refusal) return `column \`${column.name}\` ${converted.reason}`;
      row[c] = converted;
    }
    return undefined;
  };
  return { of: "text", read };
}

/** The value itself, or an array, or an object by column name. Text may stand unquoted. */
export function jsonKeys(key: readonly TypedColumn[]): KeyReader {
  const readers = key.map(readerOf);
  const hasExact = readers.some(({ isExact }) => isExact);
  return (bytes) => {
    const raw = textOf(bytes);
    if (raw === undefined) return { reason: "the key is not UTF-8 text" };
    const plain = parseJson(raw)?.value;
    const exact = plain !== undefined && hasExact && mayRound(raw) ? parseExactly(raw) : plain;
    const values: Kept[] = [];
    for (const [i, reader] of readers.entries()) {
      const whole = reader.isExact ? exact : plain;
      const part = Array.isArray(whole)
        ? whole[i]
        : typeof whole === "object" && whole !== null && !JSON.isRawJSON(whole)
          ? Reflect.get(whole, reader.name)
          : readers.length === 1
            ? (whole ?? raw)
            : undefined;
      if (part === undefined || part === null)
        return { reason: `the key ${show(raw)} holds no \`${reader.name}\`` };
      let converted = reader.convert(part);
      if (converted instanceof Refusal && readers.length === 1) converted = reader.convert(raw);
      if (converted instanceof Refusal)
        return { reason: `the key's \`${reader.name}\` ${converted.reason}` };
      values.push(converted);
    }
    return { values };
  };
}

function parseJson(source: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(source) };
  } catch {
    return undefined;
  }
}
