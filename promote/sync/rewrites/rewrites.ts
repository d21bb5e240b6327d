import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId, Stretch } from "../order/epochs.ts";
import { inTransaction } from "../state.ts";

/** An identity (as JSON) that no record of the topic has, and the version of its row: that row is to go, and nothing newer. */
const clearSchema = z.strictObject({ key: z.string(), found: z.string().regex(/^\d{1,19}$/) });
export type Clear = z.infer<typeof clearSchema>;
const tokenSchema = z.union([z.string(), z.number()]);
/** State databases of before versions were kept. */
const ofBefore = z.string().transform((key): Clear => ({ key, found: "0" }));

/**
 * Which records of a stretch are written again: all, or those of some identities. A record named by its offset brings its identity in: what
 * follows of that identity is written again too, so that the newest version is left; `since` is known when it is done: these identities, each from
 * that offset on. `clears`: rows that nothing in the topic accounts for.
 */
export const selectionSchema = z.union([
  z.strictObject({ all: z.literal(true) }),
  z.strictObject({ clears: z.array(z.union([clearSchema, ofBefore])) }),
  z.strictObject({
    offsets: z.array(z.number()),
    tokens: z.array(tokenSchema),
    since: z.array(z.tuple([tokenSchema, z.number()])).exactOptional(),
  }),
]);
export type Selection = z.infer<typeof selectionSchema>;

/**
 * Records below where a stretch was read, written again under a new epoch by the release of that epoch: a backfill, a repair, a replay of dead
 * letters. First live traffic moves to the epoch at `to`, then `from` … `to` is written in it.
 */
export type Rewrite = Stretch & {
  rewrite: number;
  from: number;
  selection: Selection;
  reason: string;
  /** `written`: all of it is in every sink; of a backfill, readers are turned once every partition is. */
  state: "asked" | "running" | "written" | "done";
  askedAt: string;
  /** What was asked together has the number of the first of it: an identity's records may lie in any of its partitions. */
  ask: number | undefined;
  /** Known once it runs. */
  epoch: number | undefined;
  to: number | undefined;
  release: string | undefined;
  /** In a topic that has grown: the lowest of the epoch numbers which all that was asked together is written under (layers.ts). */
  lowest: number | undefined;
  written: number;
  deadLettered: number;
};

/** A selection may name a million identities: it is read by who needs it. */
export type RewriteHead = Omit<Rewrite, "selection">;

/** As long as a rewrite waits, only what kind of records it takes is wanted… */
export type OpenRewrite = RewriteHead & { kind: "all" | "clears" | "some" };

/** …and by who looks at it, their number. */
export type RewriteSummary = RewriteHead & {
  what:
    | { kind: "all" }
    | { kind: "clears"; identities: number }
    | { kind: "some"; records: number; identities: number };
};

const headColumns = z.object({
  rewrite: z.number(),
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  from_offset: z.number(),
  to_offset: z.number().nullable(),
  epoch: z.number().nullable(),
  release: z.string().nullable(),
  ask: z.number().nullable(),
  lowest: z.number().nullable(),
  reason: z.string(),
  state: z.enum(["asked", "running", "written", "done"]),
  asked_at: z.string(),
  written: z.number(),
  dead_lettered: z.number(),
});

const HEAD = Object.keys(headColumns.shape).join(", ");

function headOf(row: z.infer<typeof headColumns>): RewriteHead {
  const { from_offset, to_offset, asked_at, dead_lettered, ...rest } = row;
  return {
    ...rest,
    from: from_offset,
    to: to_offset ?? undefined,
    epoch: rest.epoch ?? undefined,
    release: rest.release ?? undefined,
    ask: rest.ask ?? undefined,
    lowest: rest.lowest ?? undefined,
    askedAt: asked_at,
    deadLettered: dead_lettered,
  };
}

const rowSchema = headColumns
  .extend({ selection: z.string() })
  .transform(({ selection, ...row }): Rewrite => ({
    ...headOf(row),
    selection: selectionSchema.parse(JSON.parse(selection)),
  }));

const summarySchema = headColumns
  .extend({
    clears: z.number().nullable(),
    records: z.number().nullable(),
    identities: z.number().nullable(),
  })
  .transform(({ clears, records, identities, ...row }): RewriteSummary => {
    if (clears !== null) return { ...headOf(row), what: { kind: "clears", identities: clears } };
    if (records === null || identities === null) return { ...headOf(row), what: { kind: "all" } };
    return { ...headOf(row), what: { kind: "some", records, identities } };
  });

/** All of a pipeline's rewrites, oldest first. SQLite counts what they select in a twentieth of the time that it takes to read it all. */
export function summarizeRewrites(state: DatabaseSync, id: PipelineId): RewriteSummary[] {
  return state
    .prepare(
      `select ${HEAD}, json_array_length(selection, '$.clears') as clears,
         json_array_length(selection, '$.offsets') as records, json_array_length(selection, '$.tokens') as identities
       from sync_rewrites where environment = ? and name = ? order by rewrite`,
    )
    .all(id.environment, id.name)
    .map((row) => summarySchema.parse(row));
}

/** All of a pipeline's rewrites, oldest first. */
export function listRewrites(state: DatabaseSync, id: PipelineId): Rewrite[] {
  return state
    .prepare("select * from sync_rewrites where environment = ? and name = ? order by rewrite")
    .all(id.environment, id.name)
    .map((row) => rowSchema.parse(row));
}

const openSchema = headColumns
  .extend({ kind: z.enum(["all", "clears", "some"]) })
  .transform(({ kind, ...row }): OpenRewrite => ({ ...headOf(row), kind }));

/** Those that are not done, oldest first. Of their selections nothing but the beginning is read: who waits asks twice a second. */
export function listOpenRewrites(state: DatabaseSync, id: PipelineId): OpenRewrite[] {
  return state
    .prepare(
      `select ${HEAD}, case substr(selection, 3, 3) when 'all' then 'all' when 'cle' then 'clears' else 'some' end as kind
       from sync_rewrites where environment = ? and name = ? and state <> 'done' order by rewrite`,
    )
    .all(id.environment, id.name)
    .map((row) => openSchema.parse(row));
}

const selectionRow = z.object({ selection: z.string() });

export function readSelection(state: DatabaseSync, { rewrite }: RewriteHead): Selection {
  const row = state.prepare("select selection from sync_rewrites where rewrite = ?").get(rewrite);
  return selectionSchema.parse(JSON.parse(selectionRow.parse(row).selection));
}

export type Asked = Stretch & Pick<Rewrite, "from" | "selection" | "reason" | "askedAt">;

/** Asks for one; the worker that reads the stretch will do it. Durable when this returns. */
export function askRewrite(state: DatabaseSync, id: PipelineId, asked: Asked): number {
  return inTransaction(state, () => insertRewrite(state, id, asked));
}

/**
 * Asks for rewrites of partitions, those of a topic together: in none is one left while others are done. All are asked for when this returns, or none.
 */
export function askTogether(
  state: DatabaseSync,
  id: PipelineId,
  asked: readonly Asked[],
): number[] {
  return inTransaction(state, () => {
    const together = state.prepare("update sync_rewrites set ask = ? where rewrite = ?");
    return [...Map.groupBy(asked, ({ topic }) => topic).values()].flatMap((ofTopic) => {
      const made = ofTopic.map((one) => insertRewrite(state, id, one));
      for (const rewrite of made) together.run(made[0] ?? rewrite, rewrite);
      return made;
    });
  });
}

function insertRewrite(state: DatabaseSync, id: PipelineId, asked: Asked): number {
  const made = state
    .prepare(
      `insert into sync_rewrites (environment, name, topic, incarnation, partition, from_offset, selection, reason, state, asked_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, 'asked', ?)`,
    )
    .run(
      id.environment,
      id.name,
      asked.topic,
      asked.incarnation,
      asked.partition,
      asked.from,
      JSON.stringify(asked.selection),
      asked.reason,
      asked.askedAt,
    );
  return Number(made.lastInsertRowid);
}

/** What was asked together with a rewrite, itself included; nothing where it was asked alone. */
export function listAsked(state: DatabaseSync, { ask }: Pick<Rewrite, "ask">): RewriteHead[] {
  if (ask === undefined) return [];
  return state
    .prepare(`select ${HEAD} from sync_rewrites where ask = ? order by rewrite`)
    .all(ask)
    .map((row) => headOf(headColumns.parse(row)));
}

/**
 * As if nothing of what was asked together had been done: every partition is written again, also one that the topic did not have when it was asked, and
 * each takes all identities. Within the caller's transaction.
 */
export function spreadRewrite(
  state: DatabaseSync,
  id: PipelineId,
  together: readonly RewriteHead[],
  stretches: readonly Stretch[],
): void {
  const [first] = together;
  if (first === undefined) return;
  const selection = unionOf(together.map((one) => readSelection(state, one)));
  const reset = state.prepare(
    "update sync_rewrites set state = 'asked', lowest = null, selection = ? where ask = ?",
  );
  const join = state.prepare("update sync_rewrites set ask = ? where rewrite = ?");
  for (const stretch of stretches) {
    if (together.some(({ partition }) => partition === stretch.partition)) continue;
    const asked = { ...first, ...stretch, selection, from: 0 };
    join.run(first.ask ?? first.rewrite, insertRewrite(state, id, asked));
  }
  reset.run(JSON.stringify(selection), first.ask ?? first.rewrite);
}

function unionOf(selections: readonly Selection[]): Selection {
  const some = selections.flatMap((one) => ("tokens" in one ? [one] : []));
  if (some.length < selections.length) return { all: true };
  // Offsets mean other records in another partition; their identities are among the tokens.
  return { offsets: [], tokens: [...new Set(some.flatMap(({ tokens }) => tokens))] };
}

/** Begun, or begun again by another worker: under which epoch, and up to where. */
export function beginRewrite(
  state: DatabaseSync,
  rewrite: number,
  begun: { epoch: number; from: number; to: number; release: string; lowest: number | undefined },
): void {
  state
    .prepare(
      "update sync_rewrites set state = 'running', epoch = ?, from_offset = ?, to_offset = ?, release = ?, lowest = ?, written = 0, dead_lettered = 0 where rewrite = ?",
    )
    .run(begun.epoch, begun.from, begun.to, begun.release, begun.lowest ?? null, rewrite);
}

/** Within the caller's transaction. False, and nothing is counted, where it was begun again since. */
export function countRewritten(
  state: DatabaseSync,
  begun: { rewrite: number; epoch: number },
  counts: { written: number; deadLettered: number },
): boolean {
  const counted = state
    .prepare(
      "update sync_rewrites set written = written + ?, dead_lettered = dead_lettered + ? where rewrite = ? and epoch = ?",
    )
    .run(counts.written, counts.deadLettered, begun.rewrite, begun.epoch);
  return counted.changes > 0;
}

/** `selection`: with every identity that came in by its offset. One that was begun again meanwhile is not finished. */
export function finishRewrite(
  state: DatabaseSync,
  rewrite: number,
  { epoch, selection }: { epoch: number; selection: Selection },
): void {
  const next = "all" in selection ? "written" : "done";
  state
    .prepare(
      "update sync_rewrites set state = ?, selection = ? where rewrite = ? and epoch = ? and state = 'running'",
    )
    .run(next, JSON.stringify(selection), rewrite, epoch);
}

/** Nothing is left to do of these, or nothing can be: what they were asked for is gone. */
export function endRewrites(state: DatabaseSync, rewrites: readonly RewriteHead[]): void {
  setState(state, rewrites, "done");
}

/** As if they had not been done. */
export function askAgain(state: DatabaseSync, rewrites: readonly RewriteHead[]): void {
  setState(state, rewrites, "asked");
}

function setState(
  state: DatabaseSync,
  rewrites: readonly RewriteHead[],
  next: Rewrite["state"],
): void {
  const update = state.prepare("update sync_rewrites set state = ? where rewrite = ?");
  inTransaction(state, () => {
    for (const { rewrite } of rewrites) update.run(next, rewrite);
  });
}
