import { z } from "zod";
import { tableExpression } from "./slice-protocol.ts";

const text = z.string().max(1_000_000);
const count = z.int().min(0);
const handle = z.string().max(40);

const tableSummary = z.object({ kind: z.literal("table"), expression: tableExpression, handle });
const valueSummary = z.discriminatedUnion("kind", [
  tableSummary,
  z.object({ kind: z.literal("metric"), name: text, text }),
  // `encoded` is opaque here: it goes back to a guest, or through `decodeStructured`.
  z.object({ kind: z.literal("plain"), text, encoded: z.unknown() }),
  z.object({ kind: z.enum(["function", "other"]), text }),
]);
/** What a value is to everybody but its guest. `plain` can be stored and restored; tables are descriptions; the rest are recipes. */
export type ValueSummary = z.infer<typeof valueSummary>;

const displayItem = z.discriminatedUnion("kind", [
  tableSummary,
  z.object({
    kind: z.literal("chart"),
    spec: z.unknown(),
    expression: tableExpression.optional(),
    rows: z.array(z.unknown()).optional(),
    /** Rows there were, when `rows` are the first of more. */
    total: count.optional(),
  }),
  z.object({ kind: z.enum(["markdown", "text"]), text }),
]);
/** Something a cell showed, in its place among what it showed. */
export type DisplayItem = z.infer<typeof displayItem>;

const cell = z.string().max(1000);
const places = z.array(z.object({ cell, line: count, column: count })).max(100);

/** What an interactive guest may say. Its frames are untrusted: whatever does not parse ends it. */
export const interactiveMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("line"),
    cell,
    stream: z.enum(["stdout", "stderr"]).optional(),
    text: text.optional(),
    truncated: z.literal(true).optional(),
  }),
  z.object({ type: z.literal("late"), cell, message: text, places }),
  z.object({
    type: z.literal("wantRows"),
    cell,
    request: count,
    expression: tableExpression,
    handle,
    offset: count,
    limit: count.max(1_000_000),
  }),
  z.object({
    type: z.literal("result"),
    cell,
    defined: z.record(z.string(), valueSummary),
    last: valueSummary.optional(),
    displays: z.array(displayItem).max(1000),
    usedClock: z.boolean(),
  }),
  z.object({
    type: z.literal("failed"),
    cell,
    message: text,
    places,
    displays: z.array(displayItem).max(1000),
  }),
  z.object({ type: z.literal("restored") }),
]);
export type InteractiveMessage = z.infer<typeof interactiveMessage>;
