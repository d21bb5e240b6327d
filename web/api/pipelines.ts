import { Hono } from "hono";
import { z } from "zod";
import type { Repair } from "#promote/sync/sync.ts";
import type { VerifyProgress, VerifyReport } from "#promote/sync/verify/verify.ts";
import { wantedSpec } from "#promote/wanted-spec.ts";
import type { Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { deadLetterRoutes } from "./dead-letters.ts";
import { body, name, path } from "./door.ts";
import { generationRoutes } from "./generations.ts";
import { streamWork } from "./long-work.ts";

/** How many differences of each sink to show. */
const verifyBody = z.strictObject({ samples: z.int().min(0).max(1000).default(20) });

const registerBody = z.strictObject({ subject: z.string().min(1, "is empty").max(500) });

const repairBody = z.strictObject({ apply: z.boolean().default(false) });

/** What runs now. `WS /api/pipelines/live` sends the same statuses as they change. */
export function pipelineRoutes(workbench: Workbench) {
  const { sync } = workbench;
  const pipeline = path(z.object({ env: name, name }));

  return new Hono()
    .route("/", deadLetterRoutes(workbench))
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
      return c.json({ rewrites: sync.rewrites(env, name) });
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
