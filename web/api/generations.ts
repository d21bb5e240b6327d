import { Hono } from "hono";
import { z } from "zod";
import { actOnGeneration, listGenerations } from "#promote/generations.ts";
import type { Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { body, name, path } from "./door.ts";

const actBody = z.strictObject({
  act: z.enum(["read", "drop"]),
  generation: z.int().positive(),
});

/** The indices a pipeline has made in Elasticsearch: which is read, which is written; turning readers, and dropping old ones. */
export function generationRoutes(workbench: Workbench) {
  const pipeline = path(z.object({ env: name, name }));
  return new Hono()
    .get("/:env/:name/generations", pipeline, async (c) => {
      const { env, name } = c.req.valid("param");
      return c.json({ generations: unwrap(await listGenerations(workbench, env, name)) });
    })
    .post("/:env/:name/generations", pipeline, body(actBody), async (c) => {
      const { env, name } = c.req.valid("param");
      const asked = { workbench, environment: env, name, by: workbench.person };
      const left = await actOnGeneration({ ...asked, ...c.req.valid("json") });
      return c.json({ generations: unwrap(left) });
    });
}
