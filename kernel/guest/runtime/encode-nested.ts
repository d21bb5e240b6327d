/* oxlint-disable unicorn/no-new-array -- sized once: these loops run per value */
import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import type { SqlType } from "#snapshots/types.ts";
import { messageOf } from "./errors.ts";
import { shown } from "./shown.ts";

type Refuse = (row: number, message: string) => void;
type Nested = Extract<SqlType, { kind: "list" | "struct" | "map" }>;
type EncodeColumn = (
  values: readonly unknown[],
  length: number,
  type: SqlType,
  isNullable: boolean,
  refuse: Refuse,
) => ArrowBuffers;
type Body = Pick<ArrowBuffers, "offsets" | "children">;

// oxlint-disable-next-line typescript/unbound-method -- taken before user code runs, and called with its `this`
const forEachOf = Map.prototype.forEach;

/** What a value's own code (a getter, a proxy) threw while it was read. */
function unreadable(error: unknown): string {
  return `cannot be read: ${messageOf(error)}`;
}

/** Buffers of a list, struct or map below its validity. */
export function encodeNested(
  values: readonly unknown[],
  length: number,
  type: Nested,
  refuse: Refuse,
  encodeColumn: EncodeColumn,
): Body {
  if (type.kind === "list") return encodeList(values, length, type, refuse, encodeColumn);
  if (type.kind === "struct") return encodeStruct(values, length, type, refuse, encodeColumn);
  return encodeMap(values, length, type, refuse, encodeColumn);
}

function encodeList(
  values: readonly unknown[],
  length: number,
  type: Extract<SqlType, { kind: "list" }>,
  refuse: Refuse,
  encodeColumn: EncodeColumn,
): Body {
  const offsets = new Int32Array(length + 1);
  const items: unknown[] = [];
  const owners: number[] = [];
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    const start = items.length;
    try {
      if (Array.isArray(value)) {
        const size = value.length;
        if (type.size !== undefined && size !== type.size) {
          refuse(i, `takes ${type.size} items, not ${size}.`);
        }
        for (let at = 0; at < size; at += 1) items.push(value[at]);
      } else if (value !== null && value !== undefined)
        refuse(i, `takes an array, not ${shown(value)}.`);
    } catch (error) {
      items.length = start;
      refuse(i, unreadable(error));
    }
    for (let at = start; at < items.length; at += 1) owners.push(i);
    offsets[i + 1] = items.length;
  }
  const child = encodeColumn(items, items.length, type.item, true, (item, message) =>
    refuse(owners[item] ?? 0, `(in a list) ${message}`),
  );
  return { offsets: bytesOf(offsets), children: [child] };
}

function encodeStruct(
  values: readonly unknown[],
  length: number,
  type: Extract<SqlType, { kind: "struct" }>,
  refuse: Refuse,
  encodeColumn: EncodeColumn,
): Body {
  const names = new Set(type.fields.map((field) => field.name));
  const fields = type.fields.map((): unknown[] => new Array(length).fill(null));
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    try {
      if (typeof value !== "object" || Array.isArray(value)) {
        refuse(i, `takes an object, not ${shown(value)}.`);
        continue;
      }
      const extra = Object.keys(value).find((key) => !names.has(key));
      if (extra !== undefined) refuse(i, `has no field \`${extra.slice(0, 100)}\`.`);
      type.fields.forEach((field, index) => {
        const own = fields[index];
        if (own) own[i] = (value as Record<string, unknown>)[field.name];
      });
    } catch (error) {
      refuse(i, unreadable(error));
    }
  }
  const children = type.fields.map((field, index) =>
    encodeColumn(fields[index] ?? [], length, field.type, true, (row, message) =>
      refuse(row, `(field \`${field.name}\`) ${message}`),
    ),
  );
  return { children };
}

function encodeMap(
  values: readonly unknown[],
  length: number,
  type: Extract<SqlType, { kind: "map" }>,
  refuse: Refuse,
  encodeColumn: EncodeColumn,
): Body {
  const offsets = new Int32Array(length + 1);
  const keys: unknown[] = [];
  const items: unknown[] = [];
  const owners: number[] = [];
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value !== null && value !== undefined) {
      try {
        // The Map's own entries, whatever iterator a subclass has; throws for what is none.
        forEachOf.call(value as Map<unknown, unknown>, (item, key) => {
          keys.push(key);
          items.push(item);
          owners.push(i);
        });
      } catch {
        refuse(i, `takes a Map, not ${shown(value)}.`);
      }
    }
    offsets[i + 1] = keys.length;
  }
  const inOwner = (part: string) => (item: number, message: string) =>
    refuse(owners[item] ?? 0, `(a map's ${part}) ${message}`);
  const key = encodeColumn(keys, keys.length, type.key, false, inOwner("key"));
  const item = encodeColumn(items, items.length, type.value, true, inOwner("value"));
  const entries = {
    length: keys.length,
    nullCount: 0,
    validity: new Uint8Array(0),
    children: [key, item],
  };
  return { offsets: bytesOf(offsets), children: [entries] };
}

export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
