import avsc, { type Schema, type Type } from "avsc";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { normalizeSchema } from "./normalize-schema.ts";

export type Logical = { name: string; precision?: number; scale?: number };

/** Keeps what a schema says of a type's meaning; avsc itself passes over logical types it was not given. */
class Marked extends avsc.types.LogicalType {
  readonly logical: Logical;
  constructor(schema: Schema, options?: unknown) {
    super(schema, options);
    const attributes = schema as Record<string, unknown>; // avsc hands them over as the schema has them
    const { logicalType, precision, scale } = attributes;
    const name = String(logicalType);
    // avsc then passes over the logical type, as the specification has it.
    if (!UNDERLYING[name]?.includes(String(attributes["type"])) || !isMeasured(name, attributes))
      throw new TypeError(`no ${name} is like this`);
    this.logical = {
      name,
      ...(typeof precision === "number" ? { precision } : {}),
      ...(typeof scale === "number" ? { scale } : {}),
    };
  }
}

/** The logical types that are known, and what each may stand on. */
const UNDERLYING: Record<string, readonly string[]> = {
  decimal: ["bytes", "fixed"],
  "big-decimal": ["bytes"],
  uuid: ["string", "fixed"],
  date: ["int"],
  "time-millis": ["int"],
  "time-micros": ["long"],
  "timestamp-millis": ["long"],
  "timestamp-micros": ["long"],
  "timestamp-nanos": ["long"],
  "local-timestamp-millis": ["long"],
  "local-timestamp-micros": ["long"],
  "local-timestamp-nanos": ["long"],
  duration: ["fixed"],
};

/** Whether a schema's numbers are what its logical type needs. */
function isMeasured(name: string, { type, precision, scale = 0, size }: Record<string, unknown>) {
  switch (name) {
    case "decimal": {
      if (!isWhole(precision) || !isWhole(scale) || precision < 1 || scale > precision)
        return false;
      return type !== "fixed" || (isWhole(size) && precision <= digitsIn(size));
    }
    case "uuid":
      return type !== "fixed" || size === 16;
    case "duration":
      return size === 12;
    default:
      return true;
  }
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}

/** Decimal digits that signed numbers of so many bytes hold whatever they are. */
function digitsIn(sizeBytes: number): number {
  return Math.floor((sizeBytes * 8 - 1) * Math.log10(2));
}

/** Reads a schema after those it refers to by name. */
export function parseWriterSchema(
  schema: string,
  references: readonly string[] = [],
): Result<Type> {
  const options = {
    registry: nothing(),
    wrapUnions: "always" as const,
    omitRecordMethods: true,
    logicalTypes: Object.assign(
      nothing(),
      Object.fromEntries(Object.keys(UNDERLYING).map((name) => [name, Marked])),
    ),
  };
  // Whatever it is, avsc judges it.
  const parse = (text: string): Type =>
    avsc.Type.forSchema(normalizeSchema(JSON.parse(text)) as Schema, options);
  try {
    for (const reference of references) parse(reference);
    return ok(parse(schema));
  } catch (cause) {
    return fail({
      code: "bad-schema",
      message: `It is not an Avro schema: ${cause instanceof Error ? cause.message : String(cause)}.`,
    });
  }
}

/** Looked up by names that a schema chose: `constructor` must find nothing. */
function nothing(): Record<string, never> {
  return Object.create(null) as Record<string, never>; // it has no properties
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
