import { z } from "zod";
import type { Operation, SessionEvent } from "#kernel/document.ts";
import type { PipelineStatus } from "#promote/sync/sync.ts";
import type { Problem } from "#snapshots/problem.ts";

const cell = z.string().min(1).max(200);
const source = z.string().max(1_000_000);
const cellKind = z.enum(["code", "markdown"]);

/** The wire form of `Operation` (kernel/document.ts). */
const operation = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("edit"), cell, source }),
  z.strictObject({
    type: z.literal("insert"),
    after: cell.nullable(),
    kind: cellKind,
    source: source.exactOptional(),
  }),
  z.strictObject({ type: z.literal("remove"), cell }),
  z.strictObject({ type: z.literal("move"), cell, after: cell.nullable() }),
  z.strictObject({ type: z.literal("setDisabled"), cell, disabled: z.boolean() }),
  z.strictObject({ type: z.literal("run"), cells: z.array(cell).max(10_000) }),
  z.strictObject({ type: z.literal("runStale") }),
  z.strictObject({ type: z.literal("runAll") }),
  z.strictObject({ type: z.literal("interrupt") }),
  z.strictObject({ type: z.literal("save") }),
  z.strictObject({ type: z.literal("reload") }),
]) satisfies z.ZodType<Operation>;

const id = z.union([z.string().max(100), z.number()]);
const place = z.strictObject({ cell, line: z.int().min(1), column: z.int().min(1) });

/** What a page sends over `WS /api/notebooks/:name/session`. */
export const sessionRequest = z.union([
  z.strictObject({ id: id.exactOptional(), op: operation }),
  z.strictObject({ id, complete: place }),
  z.strictObject({ id, hover: place }),
]);

export type SessionRequest = z.infer<typeof sessionRequest>;

/** One proposal of the language service; see kernel/types.ts. */
type Reply =
  /** The operation is applied (its effects follow as events), or refused with `problem`. */
  | { reply: string | number; problem?: Problem }
  | { reply: string | number; completions: unknown[] }
  | { reply: string | number; hover: string | null };

/** What the server sends over a session's WebSocket: the session's events, and replies to requests that had an id. */
export type SessionMessage = SessionEvent | Reply;

/** What the server sends over `WS /api/pipelines/live`: all statuses, on connect and a few times a second while they change. */
export type LiveMessage = { type: "pipelines"; pipelines: PipelineStatus[] };
