/* oxlint-disable typescript/unbound-method -- intrinsics are taken before user code runs, and called with their `this` */
import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import { shown } from "./shown.ts";

type Refuse = (row: number, message: string) => void;
type Body = Pick<ArrowBuffers, "values" | "offsets">;

const encoder = new TextEncoder();
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const tagOf = getterOf(typedArray, Symbol.toStringTag);
const byteLength = getterOf(typedArray, "byteLength");
/** Above this length a call into the encoder is quicker than a loop. */
const longestByHand = 24;

/** UTF-8 of a text column. `check` answers with what is wrong with a text. */
export function encodeTexts(
  values: readonly unknown[],
  length: number,
  refuse: Refuse,
  check?: (text: string) => string | undefined,
): Body {
  const offsets = new Int32Array(length + 1);
  let bytes = new Uint8Array(Math.max(64, length * 8));
  let end = 0;
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (typeof value === "string") {
      const wrong = check?.(value);
      if (wrong !== undefined) refuse(i, wrong);
      const room = roomFor(bytes, end, value.length * 3, i, refuse);
      if (!room) {
        offsets[i + 1] = end;
        continue;
      }
      bytes = room;
      const written = value.length <= longestByHand ? asciiInto(value, bytes, end) : -1;
      if (written >= 0) end = written;
      else {
        if (!value.isWellFormed())
          refuse(i, `takes well-formed text, not ${shown(value)}: half of a surrogate pair.`);
        end += encoder.encodeInto(value, bytes.subarray(end)).written;
      }
    } else if (value !== null && value !== undefined) refuse(i, `takes text, not ${shown(value)}.`);
    offsets[i + 1] = end;
  }
  return { offsets: new Uint8Array(offsets.buffer), values: bytes.subarray(0, end) };
}

/** Where the text ends, or -1 when it is not ASCII. */
function asciiInto(text: string, bytes: Uint8Array, start: number): number {
  let at = start;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 127) return -1;
    bytes[at] = code;
    at += 1;
  }
  return at;
}

export function encodeBlobs(values: readonly unknown[], length: number, refuse: Refuse): Body {
  const offsets = new Int32Array(length + 1);
  let bytes = new Uint8Array(Math.max(64, length * 8));
  let end = 0;
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (isBytes(value)) {
      const size = byteLength.call(value) as number;
      const room = roomFor(bytes, end, size, i, refuse);
      if (room) {
        bytes = room;
        bytes.set(value, end);
        end += size;
      }
    } else if (value !== null && value !== undefined)
      refuse(i, `takes a Uint8Array, not ${shown(value)}.`);
    offsets[i + 1] = end;
  }
  return { offsets: new Uint8Array(offsets.buffer), values: bytes.subarray(0, end) };
}

/** By its inner nature: whatever only inherits from Uint8Array, or says so, is none. Runs no code of the value's own. */
function isBytes(value: unknown): value is Uint8Array {
  return typeof value === "object" && value !== null && tagOf.call(value) === "Uint8Array";
}

function getterOf(prototype: object, key: PropertyKey): (this: unknown) => unknown {
  const property = Object.getOwnPropertyDescriptor(prototype, key);
  if (!property?.get) throw new Error(`${String(key)} is not as expected.`);
  return property.get;
}

/** The buffer with room for `more` bytes after `used`; undefined, and the value refused, when there is no such room to be had. */
function roomFor(
  bytes: Uint8Array<ArrayBuffer>,
  used: number,
  more: number,
  row: number,
  refuse: Refuse,
): Uint8Array<ArrayBuffer> | undefined {
  const needed = used + more;
  if (needed <= bytes.length) return bytes;
  try {
    // One batch's column passes 2 GiB in no case: its offsets are 32 bits wide.
    if (needed > 2 ** 31 - 1) throw new RangeError("2 GiB");
    const larger = new Uint8Array(Math.max(needed, Math.min(bytes.length * 2, 2 ** 31 - 1)));
    larger.set(bytes.subarray(0, used));
    return larger;
  } catch {
    refuse(row, `takes no value this long (${more} bytes) after ${used} bytes of the same batch.`);
    return undefined;
  }
}
