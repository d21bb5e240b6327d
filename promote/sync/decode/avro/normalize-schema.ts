import { avroName } from "./names.ts";

/**
 * A writer's schema as JSON, without what reading its records needs nothing of and avsc refuses many a good schema for: defaults and sort
 * orders, which are the reader's (Avro 1.12, "Schema Resolution"), and names that Java's writers make (`Outer$Inner`, `my-company`), which are
 * escaped as a column's name is.
 */
export function normalizeSchema(schema: unknown): unknown {
  if (typeof schema === "string") return normalizeName(schema);
  if (Array.isArray(schema)) return schema.map(normalizeSchema);
  if (typeof schema !== "object" || schema === null) return schema;
  const kept = Object.entries(schema).flatMap(([attribute, value]): [string, unknown][] => {
    if (DROPPED.has(attribute)) return [];
    return [[attribute, NORMALIZED.get(attribute)?.(value) ?? value]];
  });
  return Object.fromEntries(kept);
}

const DROPPED = new Set(["default", "order"]);

const NORMALIZED = new Map<string, (value: unknown) => unknown>([
  ["name", normalizeName],
  ["namespace", normalizeName],
  ["aliases", (value) => (Array.isArray(value) ? value.map(normalizeName) : value)],
  ["type", normalizeSchema],
  ["items", normalizeSchema],
  ["values", normalizeSchema],
  ["fields", normalizeSchema],
]);

function normalizeName(name: unknown): unknown {
  if (typeof name !== "string") return name;
  return name
    .split(".")
    .map((part) => (part === "" ? "" : avroName(part)))
    .join(".");
}
