import avsc, { type Schema, type Type } from "avsc";
import { fail, ok, type Result } from "#snapshots/problem.ts";

export type Logical = { name: string; precision?: number; scale?: number };

/** Keeps what a schema says of a type's meaning; avsc itself passes over logical types it was not given. */
class Marked extends avsc.types.LogicalType {
  readonly logical: Logical;
  constructor(schema: Schema, options?: unknown) {
    super(schema, options);
    const { logicalType, precision, scale } = schema as Record<string, unknown>; // avsc hands over the attributes as the schema has them
    this.logical = {
      name: String(logicalType),
      ...(typeof precision === "number" ? { precision } : {}),
      ...(typeof scale === "number" ? { scale } : {}),
    };
  }
}

const KNOWN = [
  "decimal",
  "big-decimal",
  "uuid",
  "date",
  "time-millis",
  "time-micros",
  "timestamp-millis",
  "timestamp-micros",
  "timestamp-nanos",
  "local-timestamp-millis",
  "local-timestamp-micros",
  "local-timestamp-nanos",
  "duration",
];

/** Reads a schema after those it refers to by name. */
export function parseWriterSchema(
  schema: string,
  references: readonly string[] = [],
): Result<Type> {
  const options = {
    registry: {},
    wrapUnions: "always" as const,
    omitRecordMethods: true,
    logicalTypes: Object.fromEntries(KNOWN.map((name) => [name, Marked])),
  };
  try {
    for (const reference of references) avsc.Type.forSchema(JSON.parse(reference), options);
    return ok(avsc.Type.forSchema(JSON.parse(schema), options));
  } catch (cause) {
    return fail({
      code: "bad-schema",
      message: `It is not an Avro schema: ${cause instanceof Error ? cause.message : String(cause)}.`,
    });
  }
}

/** What a type is below its logical type, and that type where it has one. */
export function plainType(type: Type): { type: Type; logical?: Logical } {
  return type instanceof Marked ? { type: type.underlyingType, logical: type.logical } : { type };
}

/** A type in a few words: `long (timestamp-millis)`, `array of string`, `record Flight`. */
export function describeType(marked: Type): string {
  const { type, logical } = plainType(marked);
  if (logical !== undefined) return `${describeType(type)} (${describeLogical(logical)})`;
  if (type instanceof avsc.types.ArrayType) return `array of ${describeType(type.itemsType)}`;
  if (type instanceof avsc.types.MapType) return `map of ${describeType(type.valuesType)}`;
  if (type instanceof avsc.types.WrappedUnionType)
    return `union of ${type.types.map(describeType).join(", ")}`;
  const isNamed = ["record", "error", "enum", "fixed"].includes(type.typeName);
  return isNamed && type.name !== undefined ? `${type.typeName} ${type.name}` : type.typeName;
}

function describeLogical({ name, precision, scale }: Logical): string {
  return precision === undefined ? name : `${name}(${precision},${scale ?? 0})`;
}
