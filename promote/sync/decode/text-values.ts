import type { SqlType } from "#snapshots/types.ts";
import { holdsJson, mayRound, parseExactly } from "./exact-json.ts";
import {
  converterFor,
  INTEGERS,
  Refusal,
  show,
  WIDE,
  type Convert,
  type Converted,
} from "../values/json-values.ts";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Text, as CSV and keys carry it, to what a column keeps. Lists, structs and maps are written as JSON. */
export function textConverterFor(type: SqlType): (value: string) => Converted {
  const convert = converterFor(type);
  if (type.kind === "list" || type.kind === "struct" || type.kind === "map")
    return nestedConverter(convert, holdsJson(type));
  if (type.kind !== "scalar") return convert;
  if (WIDE.has(type.name)) return convert;
  if (INTEGERS[type.name] !== undefined)
    return (value) => convert(/^-?\d{1,40}$/.test(value) ? Number(value) : value);
  switch (type.name) {
    case "FLOAT":
    case "DOUBLE":
      return (value) => convert(NUMBER.test(value) ? Number(value) : value);
    case "BOOLEAN":
      return (value) => convert(value === "true" ? true : value === "false" ? false : value);
    default:
      return convert;
  }
}

function nestedConverter(convert: Convert, isExact: boolean): (value: string) => Converted {
  return (value) => {
    let parsed: unknown;
    try {
      parsed = isExact && mayRound(value) ? parseExactly(value) : JSON.parse(value);
    } catch {
      return new Refusal(`is ${show(value)}, which is not JSON`);
    }
    return convert(parsed);
  };
}
