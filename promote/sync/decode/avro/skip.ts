import avsc, { type Type } from "avsc";
import type { Tap } from "./tap.ts";
import { plainType } from "./writer-schema.ts";

export type Skip = (tap: Tap) => void;

/** Steps over a value the contract does not ask for. `known` lets a type hold itself. */
export function skipperFor(marked: Type, known = new Map<Type, { skip: Skip }>()): Skip {
  const { type } = plainType(marked);
  if (type instanceof avsc.types.RecordType) return skipRecord(type, known);
  if (type instanceof avsc.types.WrappedUnionType) {
    const branches = type.types.map((branch) => skipperFor(branch, known));
    return (tap) => branches[tap.index(branches.length)]?.(tap);
  }
  if (type instanceof avsc.types.ArrayType) {
    const item = skipperFor(type.itemsType, known);
    return (tap) => tap.skipBlocks(() => item(tap));
  }
  if (type instanceof avsc.types.MapType) {
    const value = skipperFor(type.valuesType, known);
    return (tap) =>
      tap.skipBlocks(() => {
        tap.skip(tap.size());
        value(tap);
      });
  }
  if (type instanceof avsc.types.FixedType) {
    const { size } = type;
    return (tap) => tap.skip(size);
  }
  return PLAIN[type.typeName] ?? ((tap) => tap.refuse(`is of the unknown type ${type.typeName}`));
}

const PLAIN: Record<string, Skip> = {
  null: () => undefined,
  boolean: (tap) => tap.skip(1),
  int: (tap) => void tap.long(),
  long: (tap) => void tap.long(),
  enum: (tap) => void tap.long(),
  float: (tap) => tap.skip(4),
  double: (tap) => tap.skip(8),
  bytes: (tap) => tap.skip(tap.size()),
  string: (tap) => tap.skip(tap.size()),
};

function skipRecord(type: avsc.types.RecordType, known: Map<Type, { skip: Skip }>): Skip {
  const found = known.get(type);
  if (found !== undefined) return (tap) => tap.deeper(() => found.skip(tap));
  const self: { skip: Skip } = { skip: () => undefined };
  known.set(type, self);
  const fields = type.fields.map((field) => skipperFor(field.type, known));
  self.skip = (tap) => {
    for (const field of fields) field(tap);
  };
  return self.skip;
}
