import { Hono } from "hono";
import { z } from "zod";
import {
  openDeadLetterView,
  type Beginning,
  type DeadLetterView,
  type ListedLetter,
  type OpenedLetter,
  type Several,
} from "#promote/dead-letter-groups.ts";
import { dismissLetters, type DismissChoice } from "#promote/dismiss.ts";
import { isStage, type LetterPlace } from "#promote/sync/dead-letters/dead-letters.ts";
import type { PipelineId } from "#promote/sync/order/epochs.ts";
import { wantedSpec } from "#promote/wanted-spec.ts";
import type { Workbench } from "#promote/workbench.ts";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import { body, count, name, path, query } from "./door.ts";
import { writtenBytes } from "./written-bytes.ts";

/** The id of a group of dead letters. */
const group = z.string().regex(/^[0-9a-f]{12}$/, "is not a group of dead letters");

const stage = z
  .string()
  .refine(isStage, "is not a stage (decode, validate, transform or sink:NAME)");

/** Those that somebody dismissed, or the others. */
const shelf = z.enum(["open", "dismissed"]).default("open");

const shelfQuery = z.object({ shelf });

const pageQuery = z.object({
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 50, max: 1_000 }),
  group: group.optional(),
  shelf,
});

/** Without a stage or an incarnation: the newest letter of any. */
const placeQuery = z.object({
  topic: z.string().min(1),
  incarnation: z.string().optional(),
  partition: count({ default: 0, max: 1_000_000 }),
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  stage: stage.optional(),
});
type PlaceAsked = z.output<typeof placeQuery>;

const record = { topic: z.string(), partition: z.int(), offset: z.int() };

type RecordPlace = Pick<LetterPlace, keyof typeof record>;

const replayBody = z.strictObject({
  letters: z.union([
    z.literal("all"),
    z.strictObject({
      groups: z.array(group).max(1_000).default([]),
      stages: z.array(stage).max(1_000).default([]),
      // Records are replayed, whichever stage refused them.
      records: z.array(z.strictObject(record)).max(10_000).default([]),
    }),
  ]),
});

const dismissBody = z.strictObject({
  letters: z.union([
    z.strictObject({ group, until: z.string().optional() }),
    z
      .array(z.strictObject({ ...record, incarnation: z.string(), stage }))
      .min(1)
      .max(10_000),
  ]),
});

/** What could not pass, to be looked at, replayed, or dismissed. */
export function deadLetterRoutes(workbench: Workbench) {
  const { sync } = workbench;
  const pipeline = path(z.object({ env: name, name }));
  const part = path(z.object({ env: name, name, part: z.enum(["key", "value"]) }));

  /** Looks on beside the pipelines that write. */
  async function look<T>(at: (view: DeadLetterView) => T | Promise<T>): Promise<T> {
    const view = openDeadLetterView(workbench.workspace.paths.state);
    try {
      return await at(view);
    } finally {
      view.close();
    }
  }

  async function letterAt(param: { env: string; name: string }, place: PlaceAsked) {
    const id = { environment: param.env, name: param.name };
    const letter = await look((view) => view.letter(id, place));
    if (letter === undefined) throw new ProblemError(letterGone(place));
    return letter;
  }

  /** Of several groups or stages together, each record once. One that has no letters may be another than was meant. */
  async function recordsOf(id: PipelineId, letters: Several & { records: RecordPlace[] }) {
    const { groups, stages, records } = letters;
    if (groups.length + stages.length === 0) return records;
    const { places, absent } = await look((view) => view.places(id, letters));
    if (absent.length > 0) throw new ProblemError(noneOf(id, absent));
    return [...records, ...places];
  }

  async function setAside(
    param: { env: string; name: string },
    action: "dismiss" | "restore",
    letters: DismissChoice,
  ): Promise<number> {
    const id = { environment: param.env, name: param.name };
    const by = workbench.person;
    return unwrap(await dismissLetters({ workbench, id, action, letters, by }));
  }

  return new Hono()
    .get("/:env/:name/dead-letters", pipeline, query(pageQuery), async (c) => {
      const { env, name } = c.req.valid("param");
      const wanted = c.req.valid("query");
      const page = await look((view) => view.letters({ environment: env, name }, wanted));
      return c.json({ total: page.total, letters: page.letters.map(listed) });
    })
    .get("/:env/:name/dead-letters/groups", pipeline, query(shelfQuery), async (c) => {
      const { env, name } = c.req.valid("param");
      const { shelf } = c.req.valid("query");
      return c.json(await look((view) => view.groups({ environment: env, name }, shelf)));
    })
    .get("/:env/:name/dead-letters/letter", pipeline, query(placeQuery), async (c) => {
      const letter = await letterAt(c.req.valid("param"), c.req.valid("query"));
      return c.json(opened(letter));
    })
    .get("/:env/:name/dead-letters/letter/:part", part, query(placeQuery), async (c) => {
      const { part, ...param } = c.req.valid("param");
      const { topic, partition, offset, ...letter } = await letterAt(param, c.req.valid("query"));
      const bytes = letter[part];
      if (bytes === null) throw new ProblemError(partAbsent(part));
      // A topic's name has no character that would have to be escaped.
      const file = `${topic}-${partition}-${offset}.${part}`;
      return c.body(new Uint8Array(bytes), 200, {
        "content-type": "application/octet-stream",
        "content-disposition": `attachment; filename="${file}"`,
        "x-content-type-options": "nosniff",
      });
    })
    .post("/:env/:name/dead-letters/replay", pipeline, body(replayBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const { letters } = c.req.valid("json");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      const chosen = letters === "all" ? letters : await recordsOf(spec, letters);
      return c.json(unwrap(await sync.replay(spec, chosen, c.req.raw.signal)));
    })
    .post("/:env/:name/dead-letters/dismiss", pipeline, body(dismissBody), async (c) => {
      const { letters } = c.req.valid("json");
      return c.json({ dismissed: await setAside(c.req.valid("param"), "dismiss", letters) });
    })
    .post("/:env/:name/dead-letters/restore", pipeline, body(dismissBody), async (c) => {
      const { letters } = c.req.valid("json");
      return c.json({ restored: await setAside(c.req.valid("param"), "restore", letters) });
    });
}

function noneOf({ environment, name }: PipelineId, [absent]: readonly string[]) {
  return {
    code: "no-such-dead-letters",
    message: `No dead letter of ${environment}:${name} is of ${absent}.`,
    hint: `They may have been replayed or dismissed. See which there are: penstock dead-letters ${environment}:${name}`,
  };
}

function letterGone({ topic, partition, offset, stage }: PlaceAsked) {
  const of = stage === undefined ? "" : ` of stage ${stage}`;
  return {
    code: "dead-letter-not-found",
    message: `No dead letter${of} is at offset ${offset} of ${topic}, partition ${partition}, in this pipeline.`,
    hint: "If it was replayed, this stage has let the record pass.",
  };
}

function partAbsent(part: "key" | "value") {
  return {
    code: "no-bytes",
    message:
      part === "key" ? "The record has no key." : "The record is a tombstone: it has no value.",
  };
}

const beginning = (bytes: Beginning | null) => bytes && writtenBytes(bytes.start, bytes.sizeBytes);

function listed({ key, value, ...letter }: ListedLetter) {
  return { ...letter, key: beginning(key), value: beginning(value) };
}

function opened({ group, key, value, headers, ...letter }: OpenedLetter) {
  const written = {
    key: key && writtenBytes(key),
    value: value && writtenBytes(value),
    headers: headers.map(({ key, value }) => ({ key, value: writtenBytes(value) })),
  };
  return { group, letter: { ...letter, ...written } };
}
