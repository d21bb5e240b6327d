import type { ScalarName, SqlType } from "#snapshots/types.ts";
import type { TypedColumn } from "../values/identity.ts";
import { fieldOf, isUsable, OWN } from "./field-names.ts";

/** A field of a mapping, as Elasticsearch takes it. */
export type FieldMapping = {
  type?: string;
  format?: string;
  enabled?: boolean;
  index?: boolean;
  doc_values?: boolean;
  ignore_above?: number;
  ignore_malformed?: boolean;
  fields?: Record<string, FieldMapping>;
  properties?: Record<string, FieldMapping>;
};

/** Characters; a term holds 32,766 bytes, and a character takes up to four. */
const LONGEST_TERM = 8191;
const DEEPEST = 8;

const LONG: FieldMapping = { type: "long" };
const TERM: FieldMapping = { type: "keyword", ignore_above: LONGEST_TERM };
/** Searched by its words as `name.text`. */
const TEXT: FieldMapping = { ...TERM, fields: { text: { type: "text" } } };
/** More digits than a number field keeps: exact as a term, close enough for ranges and sums as `name.number`. */
const DIGITS: FieldMapping = {
  type: "keyword",
  fields: { number: { type: "double", ignore_malformed: true } },
};
/** The text keeps every digit; the index sees milliseconds. What it cannot see (a year beyond 9999) is left out of it, not refused. */
const MOMENT: FieldMapping = {
  type: "date",
  format: "strict_date_optional_time_nanos",
  ignore_malformed: true,
};
const KEPT: FieldMapping = { type: "object", enabled: false };

const SCALARS: Record<ScalarName, FieldMapping> = {
  BOOLEAN: { type: "boolean" },
  TINYINT: LONG,
  SMALLINT: LONG,
  INTEGER: LONG,
  BIGINT: LONG,
  UTINYINT: LONG,
  USMALLINT: LONG,
  UINTEGER: LONG,
  UBIGINT: DIGITS,
  HUGEINT: DIGITS,
  UHUGEINT: DIGITS,
  // NaN and the infinities are texts in JSON: kept in the document, out of the index.
  FLOAT: { type: "float", ignore_malformed: true },
  DOUBLE: { type: "double", ignore_malformed: true },
  VARCHAR: TEXT,
  JSON: TEXT,
  UUID: TERM,
  BLOB: TERM,
  DATE: MOMENT,
  TIME: TERM,
  TIMESTAMP: MOMENT,
  TIMESTAMP_S: MOMENT,
  TIMESTAMP_MS: MOMENT,
  TIMESTAMP_NS: MOMENT,
  "TIMESTAMP WITH TIME ZONE": MOMENT,
};

/** How a column is searched. Whatever this says, `_source` has the value as docs/types.md writes it in JSON. */
export function mappingOf(type: SqlType, depth = 0): FieldMapping {
  switch (type.kind) {
    case "scalar":
      return SCALARS[type.name];
    case "decimal":
      return DIGITS;
    case "enum":
      return TERM;
    // A field holds one value or many.
    case "list":
      return mappingOf(type.item, depth + 1);
    case "map":
      return KEPT;
    case "struct": {
      if (depth > DEEPEST || !type.fields.every(({ name }) => isUsable(name))) return KEPT;
      return {
        properties: Object.fromEntries(
          type.fields.map((field) => [field.name, mappingOf(field.type, depth + 1)]),
        ),
      };
    }
  }
}

export const OWN_MAPPING: FieldMapping = {
  properties: {
    key: KEPT,
    part: LONG,
    version: LONG,
    topic: { type: "keyword" },
    partition: LONG,
    offset: LONG,
    deleted: { type: "boolean" },
  },
};

export function propertiesOf(columns: readonly TypedColumn[]): Record<string, FieldMapping> {
  return {
    [OWN]: OWN_MAPPING,
    ...Object.fromEntries(columns.map(({ name, type }) => [fieldOf(name), mappingOf(type)])),
  };
}

/** Fields as index.mapping.total_fields.limit counts them. */
export function fieldCount(properties: Record<string, FieldMapping>): number {
  return Object.values(properties).reduce(
    (sum, { fields, properties: inner }) =>
      sum + 1 + Object.keys(fields ?? {}).length + fieldCount(inner ?? {}),
    0,
  );
}

/**
 * Whether an index made for a column of type `before` can take it as `after`: searched alike, and its values read alike as JSON (a DECIMAL's
 * digits, a time's zone). INTEGER to BIGINT is no change; a STRUCT may gain and lose fields.
 */
export function holds(before: SqlType, after: SqlType): boolean {
  if (before.kind === "list" && after.kind === "list") return holds(before.item, after.item);
  if (before.kind === "map" && after.kind === "map")
    return holds(before.key, after.key) && holds(before.value, after.value);
  if (before.kind === "struct" && after.kind === "struct") {
    const known = new Map(before.fields.map((field) => [field.name, field.type]));
    return (
      isKept(before) === isKept(after) &&
      after.fields.every(({ name, type }) => holds(known.get(name) ?? type, type))
    );
  }
  return formOf(before) === formOf(after);
}

function isKept(type: SqlType): boolean {
  return mappingOf(type).enabled === false;
}

const FORMS: Partial<Record<ScalarName, string>> = {
  TIMESTAMP: "moment",
  TIMESTAMP_S: "moment",
  TIMESTAMP_MS: "moment",
  TIMESTAMP_NS: "moment",
  "TIMESTAMP WITH TIME ZONE": "instant",
  DATE: "date",
  TIME: "time",
  BLOB: "bytes",
};

function formOf(type: SqlType): string {
  if (type.kind === "decimal") return `decimal ${type.scale}`;
  if (type.kind !== "scalar") return type.kind === "enum" ? JSON.stringify(TERM) : type.kind;
  return FORMS[type.name] ?? JSON.stringify(SCALARS[type.name]);
}
