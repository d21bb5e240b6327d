/* oxlint-disable unicorn/no-new-array -- sized once: these loops run per value */
import { tableFromIPC, Type } from "@uwdata/flechette";
import type { SqlType } from "#snapshots/types.ts";
import { decodeText } from "./decode-text.ts";
import { isValid, type Physical } from "./physical.ts";
import { decodeDate, decodeTime, decodeTimestamp } from "./decode-time.ts";

/** A record whose value cannot be had in JavaScript, by row. */
export type Refusals = Map<number, string>;

export type Decoded = {
  length: number;
  /** Values per column, as `docs/types.md` maps them. */
  columns: unknown[][];
  refusals: Refusals;
};

/** Decodes an Arrow IPC stream into one array of values a column. Throws when its columns are not the ones expected. */
export function decodeStream(
  ipc: Uint8Array,
  expected: { name: string; type: SqlType }[],
): Decoded {
  const table = tableFromIPC(ipc, {
    useBigInt: true,
    useBigIntTimestamp: true,
    useDecimalInt: true,
  });
  const refusals: Refusals = new Map();
  const columns = expected.map(({ name, type }) => {
    const column = table.getChild(name);
    if (!column) throw new Error(`The batch holds no column \`${name}\`.`);
    const parts = column.data as unknown as Physical[];
    let start = 0;
    const values = parts.map((part) => {
      const refuse = (row: number, message: string): void => {
        if (!refusals.has(start + row)) refusals.set(start + row, `Column \`${name}\`: ${message}`);
      };
      const decoded = decodeColumn(part, type, refuse);
      start += part.length;
      return decoded;
    });
    return values.length === 1 ? (values[0] ?? []) : values.flat(1);
  });
  return { length: table.numRows, columns, refusals };
}

type Refuse = (row: number, message: string) => void;

/** One array of values; NULL is null. */
function decodeColumn(part: Physical, type: SqlType, refuse: Refuse): unknown[] {
  const values = decodeValues(part, type, refuse);
  if (part.nullCount > 0) {
    const { validity } = part;
    for (let i = 0; i < part.length; i += 1) {
      if (((validity[i >> 3] ?? 0) & (1 << (i & 7))) === 0) values[i] = null;
    }
  }
  return values;
}

function decodeValues(part: Physical, type: SqlType, refuse: Refuse): unknown[] {
  const physical = part.type;
  switch (physical.typeId) {
    case Type.Null:
      return Array.from({ length: part.length }, () => null);
    case Type.Bool:
      return decodeBooleans(part);
    case Type.Int:
      if (physical.bitWidth < 64) return numbers(part.values as Int32Array, part.length);
      if (type.kind === "scalar" && type.name === "UBIGINT") {
        return Array.from((part.values as BigUint64Array).subarray(0, part.length));
      }
      return decodeInt64(part, refuse);
    case Type.Float:
      return numbers(part.values as Float64Array, part.length);
    case Type.Decimal:
      return decodeDecimal(part, type);
    case Type.Utf8:
      return decodeText(part.values as Uint8Array, part.offsets, part.length);
    case Type.Binary:
      return decodeBlobs(part);
    case Type.Date:
      return decodeDate(part.values as Int32Array, part.length);
    case Type.Timestamp:
      return decodeTimestamp(part, physical.unit, refuse);
    case Type.Time:
      return decodeTime(part.values as BigInt64Array, part.length);
    case Type.List:
    case Type.FixedSizeList:
      return decodeLists(part, type, refuse);
    case Type.Struct:
      return decodeStructs(part, type, refuse);
    case Type.Map:
      return decodeMaps(part, type, refuse);
    case Type.Dictionary:
      return decodeDictionary(part, type, refuse);
    default:
      throw new Error(`Arrow type ${physical.typeId} is not one that Penstock carries.`);
  }
}

function numbers(values: ArrayLike<number>, length: number): number[] {
  const decoded: number[] = new Array(length);
  for (let i = 0; i < length; i += 1) decoded[i] = values[i] as number;
  return decoded;
}

function decodeBooleans(part: Physical): boolean[] {
  const bits = part.values as Uint8Array;
  const decoded: boolean[] = new Array(part.length);
  for (let i = 0; i < part.length; i += 1)
    decoded[i] = ((bits[i >> 3] ?? 0) & (1 << (i & 7))) !== 0;
  return decoded;
}

/** Reads halves as 32-bit numbers: touching a BigInt64Array would make a bigint of every value. */
function decodeInt64(part: Physical, refuse: Refuse): number[] {
  const { buffer, byteOffset } = part.values;
  const halves = new Int32Array(buffer, byteOffset, part.length * 2);
  const decoded: number[] = new Array(part.length);
  for (let i = 0; i < part.length; i += 1) {
    const low = halves[2 * i] as number;
    const high = halves[2 * i + 1] as number;
    if (high === low >> 31) decoded[i] = low;
    else {
      decoded[i] = high * 4294967296 + (low >>> 0);
      if (
        (high >= 0x200000 || high < -0x200000 || (high === -0x200000 && low === 0)) &&
        isValid(part, i)
      ) {
        const exact = (BigInt(high) << 32n) | BigInt(low >>> 0);
        refuse(
          i,
          `${exact} lies beyond ±(2^53 − 1), where numbers are not exact. Cast it in the source: to VARCHAR, or to HUGEINT for a bigint.`,
        );
      }
    }
  }
  return decoded;
}

function decodeDecimal(part: Physical, type: SqlType): (string | bigint)[] {
  const physical = part.type as { scale: number };
  const limbs = part.values as BigUint64Array;
  const decoded: (string | bigint)[] = new Array(part.length);
  const isUnsigned = type.kind === "scalar" && type.name === "UHUGEINT";
  for (let i = 0; i < part.length; i += 1) {
    const high = limbs[2 * i + 1] ?? 0n;
    const value = ((isUnsigned ? high : BigInt.asIntN(64, high)) << 64n) | (limbs[2 * i] ?? 0n);
    decoded[i] = type.kind === "scalar" ? value : decimalText(value, physical.scale);
  }
  return decoded;
}

function decimalText(value: bigint, scale: number): string {
  if (scale === 0) return value.toString();
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function decodeBlobs(part: Physical): Uint8Array[] {
  const bytes = part.values as Uint8Array;
  return Array.from({ length: part.length }, (_, i) =>
    bytes.slice(part.offsets[i], part.offsets[i + 1]),
  );
}

function decodeLists(part: Physical, type: SqlType, refuse: Refuse): unknown[] {
  const [child] = part.children;
  if (!child || type.kind !== "list") throw mismatch(type);
  const stride = (part.type as { stride?: number }).stride;
  const owner = (item: number): number =>
    stride === undefined ? ownerOf(part.offsets, part.length, item) : Math.floor(item / stride);
  const items = decodeColumn(child, type.item, (item, message) => refuse(owner(item), message));
  return Array.from({ length: part.length }, (_, i) =>
    stride === undefined
      ? items.slice(part.offsets[i], part.offsets[i + 1])
      : items.slice(i * stride, (i + 1) * stride),
  );
}

function decodeStructs(part: Physical, type: SqlType, refuse: Refuse): unknown[] {
  if (type.kind !== "struct") throw mismatch(type);
  const fields = type.fields.map((field, index) => {
    const child = part.children[index];
    if (!child) throw mismatch(type);
    return { name: field.name, values: decodeColumn(child, field.type, refuse) };
  });
  return Array.from({ length: part.length }, (_, i) => {
    const value: Record<string, unknown> = {};
    for (const { name, values } of fields) define(value, name, values[i]);
    return value;
  });
}

function decodeMaps(part: Physical, type: SqlType, refuse: Refuse): unknown[] {
  const [keyPart, valuePart] = part.children[0]?.children ?? [];
  if (type.kind !== "map" || !keyPart || !valuePart) throw mismatch(type);
  const inOwner: Refuse = (item, message) =>
    refuse(ownerOf(part.offsets, part.length, item), message);
  const keys = decodeColumn(keyPart, type.key, inOwner);
  const values = decodeColumn(valuePart, type.value, inOwner);
  return Array.from({ length: part.length }, (_, i) => {
    const map = new Map<unknown, unknown>();
    const end = part.offsets[i + 1] ?? 0;
    for (let at = part.offsets[i] ?? 0; at < end; at += 1) map.set(keys[at], values[at]);
    return map;
  });
}

function decodeDictionary(part: Physical, type: SqlType, refuse: Refuse): unknown[] {
  const words = (part.dictionary?.data ?? []).flatMap((data) => decodeColumn(data, type, refuse));
  const codes = part.values as unknown as ArrayLike<number>;
  return Array.from({ length: part.length }, (_, i) => words[Number(codes[i])] ?? null);
}

function ownerOf(offsets: Int32Array, length: number, item: number): number {
  for (let i = 0; i < length; i += 1) if (item < (offsets[i + 1] ?? 0)) return i;
  return length - 1;
}

/** Sets a property whatever its name: `__proto__` too is a column's name. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(target, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else target[name] = value;
}

function mismatch(type: SqlType): Error {
  return new Error(`The batch does not hold what its contract says: ${type.kind} expected.`);
}
