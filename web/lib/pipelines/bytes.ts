import { visible, visibleLines } from "#promote/report/value.ts";
import type { WrittenBytes } from "#web/api/written-bytes.ts";

export function bytesOf({ encoding, text }: WrittenBytes): Uint8Array {
  if (encoding === "utf-8") return new TextEncoder().encode(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** `shownBytes`: how many of a record's bytes the text stands for; the rest are left to a download. */
export type Shown = { kind: "text" | "hex"; text: string; shownBytes: number };

const ROW = 16;
const MOST_HEX_BYTES = 4_096;
/** A browser lays out as much text at once without a stutter. */
const MOST_TEXT = 200_000;

/** Bytes for the eye: text where they are UTF-8, what in it cannot be seen written out; else sixteen a line in hexadecimal, with what of them is ASCII. Of very many, the beginning. */
export function shownBytes(written: WrittenBytes): Shown {
  const { encoding, text } = written;
  // eslint-disable-next-line no-control-regex -- control characters are what tells bytes from text
  if (encoding === "utf-8" && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text)) {
    const start = beginning(text, MOST_TEXT);
    const { length } = new TextEncoder().encode(start);
    return { kind: "text", text: visibleLines(start), shownBytes: length };
  }
  const bytes = bytesOf(written).subarray(0, MOST_HEX_BYTES);
  return { kind: "hex", text: hexLines(bytes), shownBytes: bytes.length };
}

/** At most so many characters, and no half of one. */
export function beginning(text: string, most = MOST_TEXT): string {
  return text.slice(0, most).replace(/[\uD800-\uDBFF]$/, "");
}

/** What a list has room for: one line of text, or the first bytes in hexadecimal. */
export function shownLine(written: WrittenBytes): string {
  const { kind } = shownBytes(written);
  if (kind === "text") return visible(written.text.replaceAll(/\s+/g, " "));
  return [...bytesOf(written).subarray(0, 2 * ROW)].map(hex).join(" ");
}

const hex = (byte: number): string => byte.toString(16).padStart(2, "0");

export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW) {
    const row = [...bytes.subarray(at, at + ROW)];
    const ascii = row
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·"))
      .join("");
    lines.push(
      `${at.toString(16).padStart(4, "0")}  ${row
        .map(hex)
        .join(" ")
        .padEnd(3 * ROW - 1)}  ${ascii}`,
    );
  }
  return lines.join("\n");
}
