import { Hono } from "hono";
import { z } from "zod";
import type { Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { count, name, path, query } from "./door.ts";

const pageQuery = z.object({
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 50, max: 1_000 }),
});

/** What runs now. `WS /api/pipelines/live` sends the same statuses as they change. */
export function pipelineRoutes(workbench: Workbench) {
  const { sync } = workbench;
  const pipeline = path(z.object({ env: name, name }));
  return new Hono()
    .get("/", (c) => c.json({ pipelines: sync.status() }))
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
    .get("/:env/:name/dead-letters", pipeline, query(pageQuery), async (c) => {
      const { env, name } = c.req.valid("param");
      return c.json(unwrap(await sync.deadLetters(env, name, c.req.valid("query"))));
    });
}
