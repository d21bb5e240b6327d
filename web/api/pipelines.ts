import { isUtf8 } from "node:buffer";
import { Hono } from "hono";
import { z } from "zod";
import type { DeadLetter } from "#promote/sync/dead-letters.ts";
import type { Repair } from "#promote/sync/sync.ts";
import type { VerifyProgress, VerifyReport } from "#promote/sync/verify/verify.ts";
import { wantedSpec } from "#promote/wanted-spec.ts";
import type { Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { body, count, name, path, query } from "./door.ts";
import { streamWork } from "./long-work.ts";

const pageQuery = z.object({
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 50, max: 1_000 }),
});

const replayBody = z.strictObject({
  letters: z.union([
    z.literal("all"),
    z
      .array(z.strictObject({ topic: z.string(), partition: z.int(), offset: z.int() }))
      .min(1)
      .max(10_000),
  ]),
});

/** How many differences of each sink to show. */
const verifyBody = z.strictObject({ samples: z.int().min(0).max(1000).default(20) });

const repairBody = z.strictObject({ apply: z.boolean().default(false) });

/** What runs now. `WS /api/pipelines/live` sends the same statuses as they change. */
export function pipelineRoutes(workbench: Workbench) {
  const { sync } = workbench;
  const pipeline = path(z.object({ env: name, name }));
  return new Hono()
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
      const page = sync.deadLetters(env, name, c.req.valid("query"));
      return c.json({ total: page.total, letters: page.letters.map(readable) });
    })
    .post("/:env/:name/dead-letters/replay", pipeline, body(replayBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const spec = unwrap(await wantedSpec(workbench, env, name));
      return c.json(unwrap(await sync.replay(spec, c.req.valid("json").letters)));
    })
    .post("/:env/:name/backfill", pipeline, body(z.strictObject({})), async (c) => {
      const { env, name } = c.req.valid("param");
      return c.json(unwrap(await sync.backfill(unwrap(await wantedSpec(workbench, env, name)))));
    })
    .get("/:env/:name/rewrites", pipeline, (c) => {
      const { env, name } = c.req.valid("param");
      return c.json({ rewrites: sync.rewrites(env, name) });
    })
    .get("/:env/:name/quality", pipeline, (c) => {
      const { env, name } = c.req.valid("param");
      return c.json(sync.quality(env, name));
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
