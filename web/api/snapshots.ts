import { Hono } from "hono";
import { z } from "zod";
import type { Workbench } from "#promote/workbench.ts";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { listSnapshots, readSnapshot } from "#snapshots/workspace.ts";
import { body, name, path } from "./door.ts";
import { streamWork } from "./long-work.ts";

const freezeBody = z.strictObject({
  source: name,
  label: name,
  sample: z
    .strictObject({ fraction: z.number().gt(0).lte(1), seed: z.int().min(0).max(2 ** 31 - 1) })
    .optional(),
});

/** Frozen tables by name: `GET`, `POST` (freeze, a stream), `DELETE` (the manifest; other snapshots keep the data). */
export function snapshotRoutes(workbench: Workbench) {
  const { workspace, store, queries } = workbench;
  return new Hono()
    .get("/", (c) => c.json(listSnapshots(workspace)))
    .post("/", body(freezeBody), (c) => {
      const { source, label, sample } = c.req.valid("json");
      return streamWork(c.req.raw, (signal, onProgress: (p: { rows: number; fraction: number }) => void) =>
        freeze({
          workspace,
          store,
          queries,
          source,
          label,
          ...(sample ? { sample } : {}),
          signal,
          onProgress,
          now: () => new Date(),
        }),
      );
    })
    .get("/:name", path(z.object({ name })), (c) => {
      const snapshot = unwrap(readSnapshot(workspace, c.req.valid("param").name));
      return c.json({ snapshot });
    });
}
