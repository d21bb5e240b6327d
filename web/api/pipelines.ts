import { isUtf8 } from "node:buffer";
import { Hono } from "hono";
import { z } from "zod";
import type { DeadLetter } from "#promote/sync/dead-letters.ts";
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
