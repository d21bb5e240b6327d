/* oxlint-disable unicorn/no-new-array -- sized once: these loops run per value */
/** Recently seen short texts, so that a repeated code (an airport, a status) is one string, made once. Direct-mapped. */
const slots = 8192;
const seen: string[] = new Array<string>(slots).fill("");
const longestKept = 24;
const decoder = new TextDecoder();
const fromCharCode = String.fromCharCode;

/** Texts of a UTF-8 column. */
export function decodeText(bytes: Uint8Array, offsets: Int32Array, length: number): string[] {
  const decoded: string[] = new Array(length);
  let start = offsets[0] ?? 0;
  for (let i = 0; i < length; i += 1) {
    const end = offsets[i + 1] as number;
    decoded[i] =
      end - start <= longestKept
        ? short(bytes, start, end)
        : decoder.decode(bytes.subarray(start, end));
    start = end;
  }
  return decoded;
}

function short(bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return "";
  let hash = 17;
  let high = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    hash = (Math.imul(hash, 31) + byte) | 0;
    high |= byte;
  }
  if (high > 127) return decoder.decode(bytes.subarray(start, end));
  const slot = (hash ^ (hash >>> 13)) & (slots - 1);
  const kept = seen[slot] as string;
  if (equals(kept, bytes, start, end)) return kept;
  const text = ascii(bytes, start, end);
  seen[slot] = text;
  return text;
}

function equals(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i += 1)
    if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 8) return decoder.decode(bytes.subarray(start, end));
  let text = "";
  for (let at = start; at < end; at += 1) text += fromCharCode(bytes[at] as number);
  return text;
}
