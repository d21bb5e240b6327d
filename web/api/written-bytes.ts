import { isUtf8 } from "node:buffer";

/** Bytes as JSON can carry them: text where they are text, base64 where they are not. Cut short, they are the beginning of `sizeBytes`. */
export type WrittenBytes = {
  encoding: "utf-8" | "base64";
  text: string;
  sizeBytes: number;
  isCut: boolean;
};

/** `bytes`: all of them, or the beginning of as many as `sizeBytes` says. */
export function writtenBytes(bytes: Uint8Array, sizeBytes = bytes.length): WrittenBytes {
  const isCut = sizeBytes > bytes.length;
  const whole = isCut ? bytes.subarray(0, bytes.length - cutCharacterBytes(bytes)) : bytes;
  const isText = isUtf8(whole);
  const carried = Buffer.from(isText ? whole : bytes);
  return {
    encoding: isText ? "utf-8" : "base64",
    text: carried.toString(isText ? "utf8" : "base64"),
    sizeBytes,
    isCut,
  };
}

/** How many bytes at the end are the beginning of a UTF-8 character whose rest is missing. */
function cutCharacterBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}
