import { createHash } from "node:crypto";
import type { SqlType } from "#snapshots/types.ts";
import type { Physical } from "../values/arrow-read.ts";
import type { TypedColumn } from "../values/identity.ts";
import { JsonText } from "../values/json-text.ts";
import { isSet, valueWriter, type WriteValue } from "../values/row-json.ts";

/** Elasticsearch's own limit, in bytes of UTF-8. */
const LONGEST_ID = 512;

const COMMA = 0x2c;
const QUOTE = 0x22;
const TILDE = 0x7e;

/**
 * A key and part as a document's id: the key's values as text, commas between, then `~p` and the part unless it is 0: `42`, `AA,2001-04-01~p1`.
 * Within a value `~` is `~0`, a comma `~1`; an empty text is `~e`, a NULL `~n`. Ids that Elasticsearch would find too long are `~h` and the
 * SHA-256 of what they would have been. The writer gives the inside of a JSON string.
 */
export function idWriter(
  key: readonly TypedColumn[],
  columns: readonly Physical[],
): (out: JsonText, keyRow: number, part: number) => void {
  const segments = key.map(({ type }, i) => segmentWriter(type, columns[i]));
  return (out, keyRow, part) => {
    const from = out.length;
    for (const [i, write] of segments.entries()) {
      if (i > 0) out.byte(COMMA);
      write(out, keyRow);
    }
    if (part > 0) {
      out.ascii("~p");
      out.integer(part);
    }
    if (out.length - from > LONGEST_ID) shorten(out, from);
  };
}

/** One value of a key as text, for an id or a routing value. */
export function segmentWriter(type: SqlType, column: Physical | undefined): WriteValue {
  const write = valueWriter(type, column);
  const scratch = new JsonText(256);
  const valid = column?.valid;
  const isNested = type.kind === "list" || type.kind === "map" || type.kind === "struct";
  const isWhole = type.kind === "scalar" && WHOLE.has(type.name);
  return (out, row) => {
    if (column === undefined || (valid !== undefined && !isSet(valid, row))) {
      out.ascii("~n");
      return;
    }
    if (isWhole) {
      write(out, row);
      return;
    }
    scratch.reset();
    write(scratch, row);
    const { bytes } = scratch;
    if (isNested) {
      const quoted = new JsonText(256);
      quoted.escaped(bytes, 0, bytes.length);
      tilded(out, quoted.bytes, 0, quoted.length);
    } else if (bytes[0] !== QUOTE) out.raw(bytes.equals(MINUS_ZERO) ? ZERO : bytes);
    else if (bytes.length === 2) out.ascii("~e");
    else tilded(out, bytes, 1, bytes.length - 1);
  };
}

/** Written as digits alone. A BIGINT is not always: beyond ±2^53 JSON has it in quotes. */
const WHOLE = new Set(["TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"]);
const MINUS_ZERO = Buffer.from("-0.0");
const ZERO = Buffer.from("0");

/** JSON's escapes hold neither `~` nor a comma, so text already escaped stays well formed. */
function tilded(out: JsonText, bytes: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const byte = bytes[i] ?? 0;
    if (byte !== TILDE && byte !== COMMA) out.byte(byte);
    else out.ascii(byte === TILDE ? "~0" : "~1");
  }
}

function shorten(out: JsonText, from: number): void {
  const id: unknown = JSON.parse(`"${out.bytes.toString("utf8", from)}"`);
  if (typeof id !== "string" || Buffer.byteLength(id) <= LONGEST_ID) return;
  out.reset(from);
  out.ascii(`~h${createHash("sha256").update(id).digest("hex")}`);
}
