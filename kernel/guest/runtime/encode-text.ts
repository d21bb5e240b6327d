import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import { shown } from "./shown.ts";

type Refuse = (row: number, message: string) => void;
type Body = Pick<ArrowBuffers, "values" | "offsets">;

const encoder = new TextEncoder();
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
      const most = end + value.length * 3;
      if (most > bytes.length) bytes = grown(bytes, end, most);
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
    if (value instanceof Uint8Array) {
      if (end + value.length > bytes.length) bytes = grown(bytes, end, end + value.length);
      bytes.set(value, end);
      end += value.length;
    } else if (value !== null && value !== undefined)
      refuse(i, `takes a Uint8Array, not ${shown(value)}.`);
    offsets[i + 1] = end;
  }
  return { offsets: new Uint8Array(offsets.buffer), values: bytes.subarray(0, end) };
}

function grown(
  bytes: Uint8Array<ArrayBuffer>,
  used: number,
  needed: number,
): Uint8Array<ArrayBuffer> {
  if (needed > 2 ** 31 - 1) {
    throw new RangeError("A text column of this batch passes 2 GiB. Run smaller batches.");
  }
  const larger = new Uint8Array(Math.max(needed, bytes.length * 2));
  larger.set(bytes.subarray(0, used));
  return larger;
}
