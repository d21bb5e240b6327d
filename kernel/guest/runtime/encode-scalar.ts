import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import type { ScalarName, SqlType } from "#snapshots/types.ts";
import { encodeBlobs, encodeTexts } from "./encode-text.ts";
import { encodeDates, encodeTimes, encodeTimestamps } from "./encode-time.ts";
import { shown } from "./shown.ts";

type Refuse = (row: number, message: string) => void;
type Scalar = Extract<SqlType, { kind: "scalar" | "decimal" | "enum" }>;
type Body = Pick<ArrowBuffers, "values" | "offsets">;
type Encode = (values: readonly unknown[], length: number, refuse: Refuse) => Body;

/** Buffers of a column without children, below its validity. */
export function encodeScalar(
  values: readonly unknown[],
  length: number,
  type: Scalar,
  refuse: Refuse,
): Body {
  if (type.kind === "decimal") return encodeDecimals(values, length, type, refuse);
  if (type.kind === "enum") {
    const known = new Set(type.values);
    return encodeTexts(values, length, refuse, (text) =>
      known.has(text)
        ? undefined
        : `takes one of ${type.values.slice(0, 8).map(shown).join(", ")}, not ${shown(text)}.`,
    );
  }
  return encoders[type.name](values, length, refuse);
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const encoders: Record<ScalarName, Encode> = {
  BOOLEAN: encodeBooleans,
  TINYINT: integers(Int8Array, -128, 127),
  SMALLINT: integers(Int16Array, -32_768, 32_767),
  INTEGER: integers(Int32Array, -2_147_483_648, 2_147_483_647),
  UTINYINT: integers(Uint8Array, 0, 255),
  USMALLINT: integers(Uint16Array, 0, 65_535),
  UINTEGER: integers(Uint32Array, 0, 4_294_967_295),
  BIGINT: encodeInt64,
  UBIGINT: bigints(64, 0n, 2n ** 64n - 1n),
  HUGEINT: bigints(128, -(2n ** 127n), 2n ** 127n - 1n),
  UHUGEINT: bigints(128, 0n, 2n ** 128n - 1n),
  FLOAT: floats(Float32Array),
  DOUBLE: floats(Float64Array),
  VARCHAR: (values, length, refuse) => encodeTexts(values, length, refuse),
  UUID: (values, length, refuse) =>
    encodeTexts(values, length, refuse, (text) =>
      uuid.test(text) ? undefined : `takes a UUID in lower case, not ${shown(text)}.`,
    ),
  JSON: (values, length, refuse) =>
    encodeTexts(values, length, refuse, (text) =>
      isJson(text) ? undefined : `takes JSON text, not ${shown(text)}.`,
    ),
  BLOB: encodeBlobs,
  DATE: encodeDates,
  TIME: encodeTimes,
  TIMESTAMP: encodeTimestamps("microsecond"),
  TIMESTAMP_S: encodeTimestamps("second"),
  TIMESTAMP_MS: encodeTimestamps("millisecond"),
  TIMESTAMP_NS: encodeTimestamps("nanosecond"),
  "TIMESTAMP WITH TIME ZONE": encodeTimestamps("microsecond"),
};

function encodeBooleans(values: readonly unknown[], length: number, refuse: Refuse): Body {
  const bits = new Uint8Array((length + 7) >> 3);
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value === true) bits[i >> 3] = (bits[i >> 3] as number) | (1 << (i & 7));
    else if (value !== false && value !== null && value !== undefined) {
      refuse(i, `takes true or false, not ${shown(value)}.`);
    }
  }
  return { values: bits };
}

type NumberArray = new (length: number) => { [index: number]: number } & ArrayBufferView;

function integers(Numbers: NumberArray, least: number, most: number): Encode {
  return (values, length, refuse) => {
    const encoded = new Numbers(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) {
        encoded[i] = value;
      } else if (value !== null && value !== undefined) {
        refuse(i, `takes an integer from ${least} to ${most}, not ${shown(value)}.`);
      }
    }
    return { values: bytesOf(encoded) };
  };
}

function encodeInt64(values: readonly unknown[], length: number, refuse: Refuse): Body {
  const halves = new Int32Array(length * 2);
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (typeof value === "number") {
      const low = value | 0;
      if (low === value) {
        halves[2 * i] = low;
        halves[2 * i + 1] = low >> 31;
      } else if (Number.isSafeInteger(value)) {
        const high = Math.floor(value / 4294967296);
        halves[2 * i] = value - high * 4294967296;
        halves[2 * i + 1] = high;
      } else refuse(i, `takes an integer within ±(2^53 − 1), not ${shown(value)}.`);
    } else if (value !== null && value !== undefined) {
      refuse(i, `takes an integer, not ${shown(value)}.`);
    }
  }
  return { values: bytesOf(halves) };
}

function bigints(bits: 64 | 128, least: bigint, most: bigint): Encode {
  return (values, length, refuse) => {
    const limbs = new BigUint64Array((length * bits) / 64);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (typeof value === "bigint" && value >= least && value <= most)
        setLimbs(limbs, i, bits, value);
      else if (value !== null && value !== undefined) {
        refuse(i, `takes a bigint from ${least} to ${most}, not ${shown(value)}.`);
      }
    }
    return { values: bytesOf(limbs) };
  };
}

function setLimbs(limbs: BigUint64Array, row: number, bits: 64 | 128, value: bigint): void {
  if (bits === 64) {
    limbs[row] = BigInt.asUintN(64, value);
    return;
  }
  limbs[2 * row] = BigInt.asUintN(64, value);
  limbs[2 * row + 1] = BigInt.asUintN(64, value >> 64n);
}

function floats(Numbers: NumberArray): Encode {
  return (values, length, refuse) => {
    const encoded = new Numbers(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (typeof value === "number") encoded[i] = value;
      else if (value !== null && value !== undefined)
        refuse(i, `takes a number, not ${shown(value)}.`);
    }
    return { values: bytesOf(encoded) };
  };
}

const decimal = /^([+-]?)(\d+)(?:\.(\d*))?$/;

function encodeDecimals(
  values: readonly unknown[],
  length: number,
  { width, scale }: { width: number; scale: number },
  refuse: Refuse,
): Body {
  const limbs = new BigUint64Array(length * 2);
  const most = 10n ** BigInt(width);
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    const found = typeof value === "string" ? decimal.exec(value) : null;
    const [, sign = "", whole = "", rawFraction = ""] = found ?? [];
    const fraction = rawFraction.replace(/0+$/, "");
    const digits = found ? BigInt(whole + fraction.padEnd(scale, "0")) : most;
    if (fraction.length > scale || digits >= most) {
      refuse(
        i,
        `takes a decimal as text, with at most ${width} digits of which ${scale} after the point, not ${shown(value)}.`,
      );
    } else setLimbs(limbs, i, 128, sign === "-" ? -digits : digits);
  }
  return { values: bytesOf(limbs) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
