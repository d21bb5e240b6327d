import type { TypedColumn } from "../identity.ts";
import { converterFor, Refusal, show, type Converted, type Kept } from "../json-values.ts";
import { mayRound, parseExactly } from "./exact-json.ts";
import { missingNull, textOf, type KeyReader, type RowReader } from "./rows.ts";

type ColumnReader = {
  name: string;
  nullable: boolean;
  convert: (value: unknown) => Converted;
  isInherited: boolean;
  isJson: boolean;
};

function readerOf(column: TypedColumn): ColumnReader {
  return {
    name: column.name,
    nullable: column.nullable,
    convert: converterFor(column.type),
    isInherited: column.name in {},
    isJson: column.type.kind === "scalar" && column.type.name === "JSON",
  };
}

/** A JSON object by column name (docs/types.md, column JSON). What the contract does not name is passed over. */
export function jsonRows(input: readonly TypedColumn[]): RowReader {
  const columns = input.map(readerOf);
  const hasJson = columns.some(({ isJson }) => isJson);
  const read = (text: string, row: Kept[]): string | undefined => {
    const parsed = parseJson(text);
    if (parsed === undefined) return `the value is not JSON: ${show(text)}`;
    const object = parsed.value;
    if (typeof object !== "object" || object === null || Array.isArray(object))
      return `the value is ${show(object)}, which is not an object`;
    const fields = object as Record<string, unknown>; // a JSON object, compared in the line above
    const isRounded = hasJson && mayRound(text);
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c];
      if (column === undefined) continue;
      const field =
        column.isInherited && !Object.hasOwn(fields, column.name) ? undefined : fields[column.name];
      if (field === undefined) return `column \`${column.name}\` is missing`;
      if (field === null) {
        if (!column.nullable) return missingNull(column.name);
        row[c] = null;
        continue;
      }
      const converted = column.convert(field);
      if (converted instanceof Refusal) return `column \`${column.name}\` ${converted.reason}`;
      row[c] = column.isJson && isRounded ? exactly(text, column.name, converted) : converted;
    }
    return undefined;
  };
  return { of: "text", read };
}

/** A JSON column is the JSON that was sent: its numbers are nobody's to round. */
function exactly(text: string, name: string, converted: Kept): Kept {
  const whole = parseExactly(text);
  const field: unknown =
    typeof whole === "object" && whole !== null ? Reflect.get(whole, name) : null;
  return typeof field === "object" ? JSON.stringify(field) : converted;
}

/** The value itself, or an array, or an object by column name. Text may stand unquoted. */
export function jsonKeys(key: readonly TypedColumn[]): KeyReader {
  const readers = key.map(readerOf);
  return (bytes) => {
    const raw = textOf(bytes);
    if (raw === undefined) return { reason: "the key is not UTF-8 text" };
    const whole = parseJson(raw)?.value;
    const isObject = typeof whole === "object" && whole !== null && !Array.isArray(whole);
    const values: Kept[] = [];
    for (const [i, reader] of readers.entries()) {
      const part = isObject
        ? Reflect.get(whole, reader.name)
        : Array.isArray(whole)
          ? whole[i]
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
