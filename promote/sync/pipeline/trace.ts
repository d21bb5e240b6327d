import type { Header } from "../ports.ts";

/** Where a record stands in a distributed trace: W3C Trace Context (https://www.w3.org/TR/trace-context-1/). */
export type TraceContext = { traceId: string; parentId: string; isSampled: boolean };

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/s;
const ZEROS = /^0+$/;
/** Longer ones may be dropped whole (section 3.3.1.5 asks for 512 at least). */
const LONGEST_STATE = 8191;

/** Undefined: not a valid `traceparent`. Versions to come are read by what they share with version 00, as section 4 asks. */
export function parseTraceparent(text: string): TraceContext | undefined {
  const [, version, traceId = "", parentId = "", flags = "", more] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || version === "ff") return undefined;
  if (version === "00" && more !== undefined) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(parentId)) return undefined;
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** A record's own place in a trace; none where it has no `traceparent`, a broken one, or several. */
export function traceOf(headers: readonly Header[]): TraceContext | undefined {
  const [only, ...others] = headers.filter(({ key }) => isNamed(key, "traceparent"));
  if (only === undefined || others.length > 0) return undefined;
  return parseTraceparent(latin1(only.value));
}

/**
 * The headers of a record that what is made of it carries on, untouched: nothing here is a span of its own. A `tracestate` goes with its
 * `traceparent` or not at all.
 */
export function carriedTrace(headers: readonly Header[]): readonly Header[] {
  if (headers.length === 0 || traceOf(headers) === undefined) return NONE;
  const states = headers.filter(({ key }) => isNamed(key, "tracestate"));
  const length = states.reduce((sum, { value }) => sum + value.length, 0);
  const parents = headers.filter(({ key }) => isNamed(key, "traceparent"));
  return length > LONGEST_STATE ? parents : [...parents, ...states];
}

const NONE: readonly Header[] = [];

function isNamed(key: string, name: string): boolean {
  return key.length === name.length && key.toLowerCase() === name;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
