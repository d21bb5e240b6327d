import { Hono } from "hono";
import { z } from "zod";
import { listEnvironments } from "#promote/environments.ts";
import { history } from "#promote/history.ts";
import { promote, rollback } from "#promote/promote.ts";
import { addressesSchema, useServers } from "#promote/use-servers.ts";
import type { Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { body, name, path, releaseHash } from "./door.ts";

const promoteBody = z.strictObject({
  transform: name,
  release: releaseHash,
  message: z.string().max(10_000).optional(),
});

const rollbackBody = z.strictObject({
  transform: name,
  /** The release to go back to; the one that ran before when absent. */
  to: releaseHash.optional(),
  message: z.string().max(10_000).optional(),
});

const useBody = z.strictObject({
  to: z.union([z.literal("embedded"), addressesSchema]),
  environments: z.array(name).min(1).optional(),
});

/** What should run where, and the commits that change it. */
export function environmentRoutes(workbench: Workbench) {
  const environment = path(z.object({ env: name }));
  return new Hono()
    .get("/", async (c) => c.json(await listEnvironments(workbench.git)))
    .post("/use", body(useBody), async (c) => {
      const { to, environments } = c.req.valid("json");
      return c.json(unwrap(await useServers({ workbench, to, names: environments })));
    })
    .post("/:env/promote", environment, body(promoteBody), async (c) => {
      const outcome = await promote({
        workbench,
        environment: c.req.valid("param").env,
        by: workbench.person,
        ...c.req.valid("json"),
      });
      return c.json(unwrap(outcome));
    })
    .post("/:env/rollback", environment, body(rollbackBody), async (c) => {
      const outcome = await rollback({
        workbench,
        environment: c.req.valid("param").env,
        by: workbench.person,
        ...c.req.valid("json"),
      });
      return c.json(unwrap(outcome));
    })
    .get("/:env/:transform/history", path(z.object({ env: name, transform: name })), async (c) => {
      const { env, transform } = c.req.valid("param");
      return c.json({ history: unwrap(await history({ workbench, environment: env, transform })) });
    });
}
