import { isUtf8 } from "node:buffer";
import { Hono } from "hono";
import { z } from "zod";
import {
  openDeadLetterView,
  type DeadLetterView,
  type LetterPlace,
} from "#promote/dead-letter-groups.ts";
import type { DeadLetter } from "#promote/sync/dead-letters.ts";
import type { Rewrite } from "#promote/sync/rewrites.ts";
import type { Repair } from "#promote/sync/sync.ts";
import type { VerifyProgress, VerifyReport } from "#promote/sync/verify/verify.ts";
import { wantedSpec } from "#promote/wanted-spec.ts";
import type { Workbench } from "#promote/workbench.ts";
import { fail, ok, ProblemError, unwrap, type Result } from "#snapshots/problem.ts";
import { generationRoutes } from "./generations.ts";
import { body, count, name, path, query } from "./door.ts";
import { streamWork } from "./long-work.ts";

/** The id of a group of dead letters. */
const group = z.string().regex(/^[0-9a-f]{12}$/, "is not a group of dead letters");

const pageQuery = z.object({
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 50, max: 1_000 }),
  group: group.optional(),
});

const placeQuery = z.object({
  topic: z.string().min(1),
  partition: count({ default: 0, max: 1_000_000 }),
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
});

/** One replay takes at most this many letters of a group, oldest first; all of a pipeline's go at once. */
const mostReplayed = 10_000;

const replayBody = z.strictObject({
  letters: z.union([
    z.literal("all"),
    z.strictObject({ group }),
    z
      .array(z.strictObject({ topic: z.string(), partition: z.int(), offset: z.int() }))
      .min(1)
      .max(mostReplayed),
  ]),
});

/** How many differences of each sink to show. */
const verifyBody = z.strictObject({ samples: z.int().min(0).max(1000).default(20) });

const registerBody = z.strictObject({ subject: z.string().min(1).max(500) });

const repairBody = z.strictObject({ apply: z.boolean().default(false) });

/** What runs now. `WS /api/pipelines/live` sends the same statuses as they change. */
export function pipelineRoutes(workbench: Workbench) {
  const { sync } = workbench;
  const pipeline = path(z.object({ env: name, name }));

  /** Looks on beside the pipelines that write. */
  function look<T>(at: (view: DeadLetterView) => T): T {
    const view = openDeadLetterView(workbench.workspace.paths.state);
    try {
      return at(view);
    } finally {
      view.close();
    }
  }

  return new Hono()
    .route("/", generationRoutes(workbench))
    .get("/", (c) =>
      c.json({
        pipelines: sync.status(),
        refused: workbench.refusals(),
        /** Why nothing is fed to the demo's topic, if so. */
        feedProblem: workbench.feedProblem() ?? null,
      }),
    )
    .post("/:env/:name/pause", pipeline, async (c) => {
      const { env, name } = c.req.valid("param");
      unwrap(await sync.pause(env, name));
      return c.json({ pipelines: sync.status() });
    })
    .post("/:env/:name/resume", pipeline, async (c) => {
      const { env, name } = c.req.valid("param");
      unwrap(await sync.resume(env, name));
      return c.json({ pipelines: sync.status() });
    })
    .get("/:env/:name/dead-letters", pipeline, query(pageQuery), (c) => {
      const { env, name } = c.req.valid("param");
      const { group, ...wanted } = c.req.valid("query");
      const id = { environment: env, name };
      const page =
        group === undefined
          ? sync.deadLetters(env, name, wanted)
          : look((view) => view.letters(id, group, wanted));
      return c.json({ total: page.total, letters: page.letters.map(readable) });
    })
    .get("/:env/:name/dead-letters/groups", pipeline, (c) => {
      const { env, name } = c.req.valid("param");
      return c.json(look((view) => view.groups({ environment: env, name })));
    })
    .get("/:env/:name/dead-letters/letter", pipeline, query(placeQuery), (c) => {
      const { env, name } = c.req.valid("param");
      const place = c.req.valid("query");
      const letter = look((view) => view.letter({ environment: env, name }, place));
      if (letter === undefined) throw new ProblemError(letterGone(place));
      return c.json({ group: letter.group, letter: readable(letter) });
    })
    .post("/:env/:name/dead-letters/replay", pipeline, body(replayBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const { letters } = c.req.valid("json");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      const isGroup = letters !== "all" && !Array.isArray(letters);
      const places = isGroup ? look((view) => view.places(spec, letters.group)) : [];
      const chosen = isGroup ? unwrap(someOf(places)) : letters;
      const replay = unwrap(await sync.replay(spec, chosen, c.req.raw.signal));
      /** `left`: letters of the group that this replay did not take. */
      return c.json({ ...replay, left: Math.max(0, places.length - mostReplayed) });
    })
    .post("/:env/:name/backfill", pipeline, body(z.strictObject({})), async (c) => {
      const { env, name } = c.req.valid("param");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      return c.json(unwrap(await sync.backfill(spec, c.req.raw.signal)));
    })
    .post("/:env/:name/register", pipeline, body(registerBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      return c.json(unwrap(await sync.register(spec, c.req.valid("json").subject)));
    })
    .get("/:env/:name/rewrites", pipeline, (c) => {
      const { env, name } = c.req.valid("param");
      return c.json({ rewrites: sync.rewrites(env, name).map(summary) });
    })
    .get("/:env/:name/quality", pipeline, async (c) => {
      const { env, name } = c.req.valid("param");
      const spec = await wantedSpec(workbench, env, name);
      const expected = spec.ok ? spec.value.stream.expectations : [];
      /** As the last commit has them; the history may name others, of earlier. */
      const rules = expected.map(({ name, severity }) => ({ name, severity }));
      return c.json({ rules, ...sync.quality(env, name) });
    })
    .get("/:env/:name/epochs", pipeline, (c) => {
      const { env, name } = c.req.valid("param");
      return c.json({ epochs: sync.epochs(env, name) });
    })
    .post("/:env/:name/verify", pipeline, body(verifyBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const { samples } = c.req.valid("json");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      return streamWork<VerifyProgress, VerifyReport>(c.req.raw, (signal, onProgress) =>
        sync.verify(spec, { signal, onProgress, samples }),
      );
    })
    .post("/:env/:name/repair", pipeline, body(repairBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      const { apply } = c.req.valid("json");
      return streamWork<VerifyProgress, Repair>(c.req.raw, (signal, onProgress) =>
        sync.repair(spec, { signal, onProgress, isApplied: apply }),
      );
    });
}

function someOf(places: readonly LetterPlace[]): Result<LetterPlace[]> {
  if (places.length > 0) return ok(places.slice(0, mostReplayed));
  return fail({
    code: "nothing-to-replay",
    message: "None of these dead letters is there any more.",
    hint: "Look at the page again: they may have been replayed.",
  });
}

function letterGone({ topic, partition, offset }: LetterPlace) {
  return {
    code: "dead-letter-not-found",
    message: `No dead letter of this pipeline is at offset ${offset} of ${topic}, partition ${partition}.`,
    hint: "If it was replayed it has passed: its row is in the sinks now.",
  };
}

/** A selection may name a million identities: a page needs their number. */
function summary({ selection, ...rewrite }: Rewrite) {
  const what =
    "all" in selection
      ? { kind: "all" as const }
      : "clears" in selection
        ? { kind: "clears" as const, identities: selection.clears.length }
        : {
            kind: "some" as const,
            records: selection.offsets.length,
            identities: selection.tokens.length,
          };
  return { ...rewrite, what };
}

/** A letter as JSON can carry it: text where the bytes are text, base64 where they are not. */
function readable({ key, value, headers, ...letter }: DeadLetter) {
  const isText = [key, value].every((bytes) => bytes === null || isUtf8(bytes));
  const encoding = isText ? ("utf-8" as const) : ("base64" as const);
  const written = (bytes: Uint8Array | null) =>
    bytes && Buffer.from(bytes).toString(isText ? "utf8" : "base64");
  return {
    ...letter,
    encoding,
    key: written(key),
    value: written(value),
    headers: headers.map(({ key, value }) => ({ key, value: Buffer.from(value).toString("utf8") })),
  };
}
