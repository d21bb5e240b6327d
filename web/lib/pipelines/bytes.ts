/** A record's bytes as JSON carries them. Null for a tombstone. */
export function recordBytes(value: string | null, encoding: "utf-8" | "base64"): Uint8Array | null {
  if (value === null) return null;
  if (encoding === "utf-8") return new TextEncoder().encode(value);
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
}

export type Shown = { kind: "text" | "hex" | "tombstone"; text: string };

/** Bytes for the eye: text where they are UTF-8, else sixteen a line in hexadecimal, with what of them is ASCII. */
export function shownBytes(bytes: Uint8Array | null): Shown {
  if (bytes === null)
    return { kind: "tombstone", text: "no value: the identity in the key is deleted" };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // eslint-disable-next-line no-control-regex -- control characters are what tells bytes from text
    if (!/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text)) return { kind: "text", text };
  } catch {
    // Not UTF-8: shown as it is.
  }
  return { kind: "hex", text: hexLines(bytes) };
}

const ROW = 16;
const MOST_SHOWN = 4_096;

export function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, MOST_SHOWN); at += ROW) {
    const row = [...bytes.subarray(at, at + ROW)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = row
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·"))
      .join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(3 * ROW - 1)}  ${ascii}`);
  }
  if (bytes.length > MOST_SHOWN) lines.push(`… ${bytes.length} bytes in all`);
  return lines.join("\n");
}
