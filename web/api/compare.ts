import { Hono } from "hono";
import { z } from "zod";
import {
  compare,
  compareRows,
  readComparison,
  recentComparisons,
  type CompareProgress,
} from "#promote/compare.ts";
import type { Workbench } from "#promote/workbench.ts";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import { body, count, name, path, query } from "./door.ts";
import { streamWork } from "./long-work.ts";
import { notebookName } from "./notebook-files.ts";

const version = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("working"), text: z.string().optional() }),
  z.strictObject({ kind: z.literal("git"), revision: z.string().min(1).max(200) }),
  z.strictObject({ kind: z.literal("environment"), name }),
  z.strictObject({ kind: z.literal("release"), hash: z.string().regex(/^[0-9a-f]{6,64}$/) }),
]);

const compareBody = z.strictObject({
  notebook: notebookName,
  transform: name,
  before: version,
  after: version,
  snapshot: name.optional(),
  key: z.array(z.string()).min(1).optional(),
});

const id = z.string().regex(/^[\w-]{1,128}$/, "is not a comparison's id");

const rowsQuery = z.object({
  kind: z.enum(["changed", "added", "removed", "ambiguous"]).optional(),
  column: z.string().optional(),
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 100, max: 1_000 }),
});

/** Two versions of one transform on one snapshot: `POST` compares (a stream), the id then drills down. */
export function compareRoutes(workbench: Workbench) {
  return new Hono()
    .get("/", query(z.object({ limit: count({ default: 20, max: 200 }) })), (c) =>
      c.json({ comparisons: recentComparisons(workbench, c.req.valid("query").limit) }),
    )
    .post("/", body(compareBody), (c) => {
      const request = c.req.valid("json");
      return streamWork(c.req.raw, (signal, onProgress: (p: CompareProgress) => void) =>
        compare({ workbench, ...request, signal, onProgress }),
      );
    })
    .get("/:id", path(z.object({ id })), (c) => c.json(comparisonAt(c.req.valid("param").id)))
    .get("/:id/rows", path(z.object({ id })), query(rowsQuery), async (c) => {
      const comparison = comparisonAt(c.req.valid("param").id);
      const { kind, column, offset, limit } = c.req.valid("query");
      const rows = unwrap(
        await compareRows({
          workbench,
          id: comparison.id,
          ...(kind ? { kind } : {}),
          ...(column ? { column } : {}),
          offset,
          limit,
        }),
      );
      return c.json({ rows });
    });

  function comparisonAt(id: string) {
    const found = readComparison(workbench, id);
    if (found) return found;
    throw new ProblemError({
      code: "comparison-not-found",
      message: `There is no comparison ${id} here.`,
      hint: "Run it again: both versions are named on the compare page.",
    });
  }
}
