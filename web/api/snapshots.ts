import { rm } from "node:fs/promises";
import { Hono } from "hono";
import { z } from "zod";
import type { Workbench } from "#promote/workbench.ts";
import { freeze } from "#snapshots/freeze.ts";
import { ProblemError, unwrap, type Problem } from "#snapshots/problem.ts";
import { listSnapshots, manifestPath, readSnapshot } from "#snapshots/workspace.ts";
import { body, name, path } from "./door.ts";
import { streamWork } from "./long-work.ts";
import { snapshotUses, type SnapshotUses } from "./snapshot-uses.ts";

const freezeBody = z.strictObject({
  source: name,
  label: name,
  sample: z
    .strictObject({
      fraction: z.number().gt(0).lte(1),
      seed: z
        .int()
        .min(0)
        .max(2 ** 31 - 1),
    })
    .optional(),
});

/** Frozen tables by name: `GET`, `POST` (freeze, a stream), `DELETE` (the manifest; other snapshots keep the data). */
export function snapshotRoutes(workbench: Workbench) {
  const { workspace, store, queries } = workbench;
  return new Hono()
    .get("/", (c) => c.json(listSnapshots(workspace)))
    .post("/", body(freezeBody), (c) => {
      const { source, label, sample } = c.req.valid("json");
      return streamWork(
        c.req.raw,
        (signal, onProgress: (p: { rows: number; fraction: number }) => void) =>
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
    .get("/:name", path(z.object({ name })), async (c) => {
      const snapshot = unwrap(readSnapshot(workspace, c.req.valid("param").name));
      return c.json({
        snapshot,
        /** False in a fresh clone: the manifest is there, its data has to be frozen again. */
        isKept: store.tableInfo(snapshot.hash) !== undefined,
        uses: await snapshotUses(workbench, snapshot.name),
      });
    })
    .delete("/:name", path(z.object({ name })), async (c) => {
      const snapshot = unwrap(readSnapshot(workspace, c.req.valid("param").name));
      const uses = await snapshotUses(workbench, snapshot.name);
      if (uses.notebooks.length + uses.releases.length > 0)
        throw new ProblemError(used(snapshot.name, uses));
      await rm(manifestPath(workspace, snapshot.name), { force: true });
      return c.json({ deleted: snapshot.name });
    });
}

function used(name: string, { notebooks, releases }: SnapshotUses): Problem {
  const users = [
    ...notebooks.map((notebook) => `notebook ${notebook}`),
    ...releases.map(({ transform, hash }) => `release ${transform} ${hash.slice(0, 6)}`),
  ];
  return {
    code: "snapshot-in-use",
    message: `${name} is read by ${users.join(", ")}.`,
    hint: "Let them read another snapshot first; what is released keeps its snapshot.",
  };
}
