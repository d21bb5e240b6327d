import { Hono } from "hono";
import { z } from "zod";
import {
  causesBudgetMs,
  compareCauses,
  compareProfile,
  compareRows,
  findComparison,
  transformPlace,
} from "#promote/compare-details.ts";
import { compare, recentComparisons, type CompareProgress } from "#promote/compare.ts";
import type { Workbench } from "#promote/workbench.ts";
import { diffKinds, type ValueFilter } from "#snapshots/diff.ts";
import { unwrap } from "#snapshots/problem.ts";
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

const values = z.array(
  z.strictObject({
    column: z.string(),
    side: z.enum(["left", "right"]).optional(),
    test: z.enum(["equals", "contains", "atLeast", "atMost"]),
    value: z.string().max(10_000).nullable(),
  }),
);

const rowsQuery = z.object({
  kind: z.enum(diffKinds).optional(),
  column: z.string().optional(),
  /** A JSON list of conditions on values. */
  values: z.string().optional().transform(parseJson).pipe(values.max(20).optional()),
  cause: z.string().max(64).optional(),
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 100, max: 1_000 }),
});

const causesQuery = z.object({ budget: count({ default: causesBudgetMs, max: 600_000 }) });

/** What is found of a comparison stays as it is. */
const forever = "private, max-age=3600, immutable";

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
    .get("/:id", path(z.object({ id })), (c) =>
      c.json(unwrap(findComparison(workbench, c.req.valid("param").id))),
    )
    .get("/:id/rows", path(z.object({ id })), query(rowsQuery), async (c) => {
      const { id } = c.req.valid("param");
      const { kind, column, values, cause, offset, limit } = c.req.valid("query");
      return c.json(
        unwrap(
          await compareRows({
            workbench,
            id,
            ...(kind ? { kind } : {}),
            ...(column === undefined ? {} : { column }),
            ...(values ? { values: values.map(valueFilter) } : {}),
            ...(cause === undefined ? {} : { cause }),
            offset,
            limit,
          }),
        ),
      );
    })
    .get("/:id/causes", path(z.object({ id })), query(causesQuery), async (c) => {
      const { id } = c.req.valid("param");
      const { budget: budgetMs } = c.req.valid("query");
      const { signal } = c.req.raw;
      return c.json(unwrap(await compareCauses({ workbench, id, budgetMs, signal })));
    })
    .get("/:id/place", path(z.object({ id })), (c) => {
      const comparison = unwrap(findComparison(workbench, c.req.valid("param").id));
      return c.json({ place: transformPlace(workbench, comparison) ?? null });
    })
    .get(
      "/:id/profile",
      path(z.object({ id })),
      query(z.object({ column: z.string() })),
      async (c) => {
        const { id } = c.req.valid("param");
        const { column } = c.req.valid("query");
        // Not ended with the request: a worker that is killed forgets the differences it has found.
        const profile = unwrap(await compareProfile({ workbench, id, column }));
        c.header("cache-control", forever);
        return c.json(profile);
      },
    );
}

function valueFilter({ side, ...filter }: z.output<typeof values>[number]): ValueFilter {
  return side === undefined ? filter : { ...filter, side };
}

/** Text that is no JSON is kept as it is: it fits no schema, and the refusal says where. */
function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
