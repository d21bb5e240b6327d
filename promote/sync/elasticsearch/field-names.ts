import { createHash } from "node:crypto";

/** Penstock's own fields of a document. No column's field begins with an underscore. */
export const OWN = "_penstock";

const LONGEST_BYTES = 250;
const KEPT_LENGTH = 50;

/**
 * The field a column is kept in: its own name where Elasticsearch can use it, else with what it cannot use as `%` and two hexadecimal digits.
 * A dot would make an object, a leading underscore belongs to Elasticsearch and Penstock, a `*` is a pattern in queries, and a name
 * of nothing but white space is refused. Names too long are cut, with a hash. No two names give one field.
 */
export function fieldOf(column: string): string {
  const escaped = escape(column);
  if (Buffer.byteLength(escaped) <= LONGEST_BYTES && !HASHED.test(escaped)) return escaped;
  const hash = createHash("sha256").update(column).digest("hex").slice(0, 32);
  return `${escaped.slice(0, KEPT_LENGTH).toWellFormed()}%~${hash}`;
}

const HASHED = /%~[0-9a-f]{32}$/;
/** `%` needs escaping only where it would read as an escape. */
const UNUSABLE = /[\p{Cc}.*]|%(?=[0-9A-F]{2})|^_|^%$/gu;

function escape(name: string): string {
  if (name === "") return "%";
  if (name.trim() === "") return name.replaceAll(/[^]/gu, percent);
  return name.replaceAll(UNUSABLE, percent);
}

function percent(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}

/** Whether a name inside a STRUCT can be a field as it stands. */
export function isUsable(name: string): boolean {
  return fieldOf(name) === name;
}
