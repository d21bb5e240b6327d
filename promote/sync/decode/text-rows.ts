import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { TypedColumn } from "../values/identity.ts";
import { Refusal, show } from "../values/json-values.ts";
import { textOf, type KeyReader, type RowReader } from "./rows.ts";
import { textConverterFor } from "./text-values.ts";

/** The whole value as one column of text or JSON. */
export function textRows(input: readonly TypedColumn[]): Result<RowReader> {
  const [column, ...others] = input;
  const isText =
    column?.type.kind === "scalar" &&
    (column.type.name === "VARCHAR" || column.type.name === "JSON");
  if (!isText || others.length > 0) {
    return fail({
      code: "stream-format",
      message: `A stream of format text gives one VARCHAR or JSON column; the contract has ${input.map(({ name }) => `\`${name}\``).join(", ")}.`,
      hint: "Say `format: json`, `csv` or `avro` under `stream` in the source's file, or freeze it with one text column.",
    });
  }
  const convert = textConverterFor(column.type);
  return ok({
    of: "text",
    read(text, row) {
      const converted = convert(text);
      if (converted instanceof Refusal) return `column \`${column.name}\` ${converted.reason}`;
      row[0] = converted;
      return undefined;
    },
  });
}

/** The key's bytes as the text of the one identity column. */
export function textKeys(key: readonly TypedColumn[]): Result<KeyReader> {
  const [column, ...others] = key;
  if (column === undefined || others.length > 0) {
    return fail({
      code: "stream-format",
      message: `A key of format text holds one column; the identity has ${key.map(({ name }) => `\`${name}\``).join(", ")}.`,
      hint: "Say `keyFormat: json` or `avro` under `stream` in the source's file.",
    });
  }
  const convert = textConverterFor(column.type);
  return ok((bytes) => {
    const text = textOf(bytes);
    if (text === undefined) return { reason: "the key is not UTF-8 text" };
    const converted = convert(text);
    return converted instanceof Refusal
      ? { reason: `the key's \`${column.name}\` ${converted.reason}` }
      : converted === null
        ? { reason: `the key ${show(text)} holds no \`${column.name}\`` }
        : { values: [converted] };
  });
}
