import avsc, { type Type } from "avsc";
import { formatType, type SqlType } from "#snapshots/types.ts";
import { repeatedKey } from "../../values/identity.ts";
import type { Kept } from "../../values/json-values.ts";
import { avroName } from "./names.ts";
import { readScalar, unscaled, type Read } from "./scalars.ts";
import { skipperFor } from "./skip.ts";
import type { Tap } from "./tap.ts";
import { describeType, plainType } from "./writer-schema.ts";

/** How a writer's value becomes a column's; or why it never can, `field` being the place in dots. */
export type Resolved = { read: Read } | { conflict: string };

/**
 * Meets a writer's type with a column's by Avro's schema resolution (specification 1.12, "Schema Resolution"), compiled once a schema into
 * a reader that goes from the writer's bytes to the column. Written here rather than on avsc's resolvers: those round or refuse
 * longs beyond 2^53, drop the logical type of what they resolve, and believe the counts that untrusted bytes claim.
 */
export function resolve(marked: Type, column: SqlType, field: string): Resolved {
  const { type, logical } = plainType(marked);
  if (type instanceof avsc.types.WrappedUnionType) return resolveUnion(type, column, field);
  if (type.typeName === "null") return { read: () => null };
  const conflict = {
    conflict: `field \`${field}\` is ${describeType(marked)} in the writer's schema, which the contract's ${formatType(column)} cannot read`,
  };
  switch (column.kind) {
    case "scalar": {
      if (type instanceof avsc.types.EnumType) {
        const { symbols } = type;
        return column.name === "VARCHAR"
          ? { read: (tap) => symbols[tap.index(symbols.length)] ?? null }
          : conflict;
      }
      const size = type instanceof avsc.types.FixedType ? { size: type.size } : {};
      const writer = {
        name: type.typeName,
        ...size,
        ...(logical === undefined ? {} : { logical }),
      };
      const read = readScalar(column.name, writer);
      return read === undefined ? conflict : { read };
    }
    case "decimal": {
      const read =
        logical?.name === "decimal" ? readDecimal(type, logical.scale ?? 0, column) : undefined;
      return read === undefined ? conflict : { read };
    }
    case "enum":
      return resolveEnum(type, column) ?? conflict;
    case "list":
      return type instanceof avsc.types.ArrayType ? resolveList(type, column, field) : conflict;
    case "map":
      return resolveMap(type, column, field) ?? conflict;
    case "struct":
      return type instanceof avsc.types.RecordType ? resolveStruct(type, column, field) : conflict;
  }
}

/** A branch that the column cannot read is no conflict but the failure of the values that take it, as the specification has it; a union with no other is. */
function resolveUnion(
  union: avsc.types.WrappedUnionType,
  column: SqlType,
  field: string,
): Resolved {
  const resolved = union.types.map((branch) => resolve(branch, column, field));
  const conflicts = resolved.flatMap((branch) => ("conflict" in branch ? [branch.conflict] : []));
  const isNull = (branch: Type): boolean => branch.typeName === "null";
  const values = union.types.filter((branch) => !isNull(branch)).length;
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === values) return { conflict: first };
  const reads = resolved.map((branch, i): Read => {
    if ("read" in branch) return branch.read;
    const named = describeType(union.types[i] ?? union);
    return (tap) => tap.refuse(`is ${named}, which ${formatType(column)} cannot read`);
  });
  return { read: (tap) => reads[tap.index(reads.length)]?.(tap) ?? null };
}

function readDecimal(
  type: Type,
  from: number,
  { width, scale }: SqlType & { kind: "decimal" },
): Read | undefined {
  const isFixed = type instanceof avsc.types.FixedType;
  if (!isFixed && type.typeName !== "bytes") return undefined;
  const size = isFixed ? type.size : 0;
  const most = 10n ** BigInt(width);
  const up = 10n ** BigInt(Math.max(0, scale - from));
  const down = 10n ** BigInt(Math.max(0, from - scale));
  return (tap) => {
    const written = unscaled(isFixed ? tap.fixed(size) : tap.sized());
    if (down !== 1n && written % down !== 0n)
      return tap.refuse(
        `is ${written}e-${from}, which has more than ${scale} digits after the point`,
      );
    const value = (written * up) / down;
    return value >= most || value <= -most
      ? tap.refuse(`is ${written}e-${from}, which DECIMAL(${width},${scale}) cannot hold`)
      : value;
  };
}

function resolveEnum(type: Type, column: SqlType & { kind: "enum" }): Resolved | undefined {
  const known = new Set(column.values);
  const wanted = column.values.join(", ");
  if (type instanceof avsc.types.EnumType) {
    const { symbols } = type;
    return {
      read: (tap) => {
        const symbol = symbols[tap.index(symbols.length)] ?? "";
        return known.has(symbol)
          ? symbol
          : tap.refuse(`is ${JSON.stringify(symbol)}, which is not one of ${wanted}`);
      },
    };
  }
  if (type.typeName !== "string") return undefined;
  return {
    read: (tap) => {
      const text = tap.text();
      return known.has(text)
        ? text
        : tap.refuse(`is ${JSON.stringify(text.slice(0, 60))}, which is not one of ${wanted}`);
    },
  };
}

function resolveList(
  type: avsc.types.ArrayType,
  column: SqlType & { kind: "list" },
  field: string,
): Resolved {
  const item = resolve(type.itemsType, column.item, `${field}[]`);
  if ("conflict" in item) return item;
  return {
    read: (tap) => {
      const values: Kept[] = [];
      tap.blocks(() => values.push(item.read(tap)));
      return column.size === undefined || values.length === column.size
        ? values
        : tap.refuse(`has ${values.length} items, which is not a list of ${column.size}`);
    },
  };
}

/** Avro's own maps have text keys; a map by anything else is written as an array of records `key`, `value`. */
function resolveMap(
  type: Type,
  column: SqlType & { kind: "map" },
  field: string,
): Resolved | undefined {
  if (type instanceof avsc.types.MapType) {
    if (column.key.kind !== "scalar" || column.key.name !== "VARCHAR") return undefined;
    const value = resolve(type.valuesType, column.value, `${field}{}`);
    if ("conflict" in value) return value;
    return {
      read: (tap) => {
        const pairs: [Kept, Kept][] = [];
        tap.blocks(() => pairs.push([tap.text(), value.read(tap)]));
        return once(tap, pairs);
      },
    };
  }
  if (!(type instanceof avsc.types.ArrayType)) return undefined;
  const entry = plainType(type.itemsType).type;
  if (!(entry instanceof avsc.types.RecordType)) return undefined;
  const pair = resolveStruct(
    entry,
    {
      kind: "struct",
      fields: [
        { name: "key", type: column.key },
        { name: "value", type: column.value },
      ],
    },
    `${field}{}`,
  );
  if ("conflict" in pair) return pair;
  return {
    read: (tap) => {
      const pairs: Kept[] = [];
      tap.blocks(() => pairs.push(pair.read(tap)));
      return once(tap, pairs);
    },
  };
}

function once(tap: Tap, pairs: Kept[]): Kept {
  return repeatedKey(pairs) < 0 ? pairs : tap.refuse("has a key twice");
}

function resolveStruct(
  type: avsc.types.RecordType,
  column: SqlType & { kind: "struct" },
  field: string,
): Resolved {
  const fields = column.fields.map((inner) => ({ ...inner, nullable: true }));
  const plan = resolveFields(type, fields, `${field}.`);
  if ("conflict" in plan) return plan;
  return {
    read: (tap) => {
      const values: Kept[] = fields.map(() => null);
      for (const step of plan.steps) step.run(tap, values);
      return values;
    },
  };
}

/** Reads or steps over one of the writer's fields. */
export type Step = { field: string; run(tap: Tap, values: Kept[]): void };

/**
 * The writer's fields in the writer's order, each to its column by name, or by an alias the writer's schema gives as its former name.
 * A nullable column the writer does not have is NULL: the default that a contract's schema declares.
 */
export function resolveFields(
  type: avsc.types.RecordType,
  columns: readonly { name: string; type: SqlType; nullable: boolean }[],
  prefix = "",
): { steps: Step[] } | { conflict: string } {
  const steps: Step[] = [];
  const places = placesOf(type, columns);
  // The contract is columns without a record's name, so it is by its fields that a writer's record is known to be meant for it.
  if (places.every((place) => place === undefined)) {
    const known = columns.map(({ name }) => `\`${prefix}${name}\``).join(", ");
    return {
      conflict: `${describeType(type)} of the writer's schema has none of the contract's fields ${known}`,
    };
  }
  for (const field of type.fields) {
    const at = places.indexOf(field.name);
    const column = columns[at];
    if (column === undefined) {
      const skip = skipperFor(field.type);
      steps.push({ field: `field \`${field.name}\``, run: skip });
      continue;
    }
    const resolved = resolve(field.type, column.type, `${prefix}${column.name}`);
    if ("conflict" in resolved) return resolved;
    const { read } = resolved;
    steps.push({
      field: `column \`${column.name}\``,
      run(tap, values) {
        values[at] = read(tap);
      },
    });
  }
  const missing = columns.find((column, at) => places[at] === undefined && !column.nullable);
  if (missing !== undefined)
    return {
      conflict: `field \`${prefix}${missing.name}\` is not in the writer's schema, and the contract's ${formatType(missing.type)} has no default`,
    };
  return { steps };
}

function placesOf(
  type: avsc.types.RecordType,
  columns: readonly { name: string }[],
): (string | undefined)[] {
  const named = (name: string): string | undefined =>
    type.fields.find((field) => field.name === name)?.name;
  const places = columns.map(({ name }) => named(name) ?? named(avroName(name)));
  return places.map((place, at) => {
    const { name } = columns[at] ?? { name: "" };
    return (
      place ??
      type.fields.find(
        (field) => field.aliases.includes(avroName(name)) && !places.includes(field.name),
      )?.name
    );
  });
}
