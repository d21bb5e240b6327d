import { Hono } from "hono";
import { z } from "zod";
import {
  causesBudgetMs,
  compareCauses,
  compareProfile,
  compareRows,
  findComparison,
  transformPlace,
  type RowsFilter,
} from "#promote/compare-details.ts";
import { compare, recentComparisons, type CompareProgress } from "#promote/compare.ts";
import { reviewFilters } from "#promote/review/answer.ts";
import { comparisonHistory } from "#promote/review/history.ts";
import { remark, removeRemark, type RemarkedRows } from "#promote/review/remarks.ts";
import { review, reviewState } from "#promote/review/review.ts";
import { reviewedRows } from "#promote/review/reviewed-rows.ts";
import type { Workbench } from "#promote/workbench.ts";
import { diffKinds, type ValueFilter } from "#snapshots/diff.ts";
import { unwrap } from "#snapshots/problem.ts";
import { reportFile, reportFormats, rowFormats, rowsFile } from "./comparison-files.ts";
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

const remarkId = z.coerce.number().int().positive();
const id = z.string().regex(/^[\w-]{1,128}$/, "is not a comparison's id");

const values = z.array(
  z.strictObject({
    column: z.string(),
    side: z.enum(["left", "right"]).optional(),
    test: z.enum(["equals", "contains", "atLeast", "atMost"]),
    value: z.string().max(10_000).nullable(),
  }),
);

const reviewChoice = {
  review: z.enum(reviewFilters).optional(),
  since: id.optional(),
  remark: remarkId.optional(),
};

const rowsQuery = z.object({
  kind: z.enum(diffKinds).optional(),
  column: z.string().optional(),
  /** A JSON list of conditions on values. */
  values: z.string().optional().transform(parseJson).pipe(values.max(20).optional()),
  cause: z.string().max(64).optional(),
  ...reviewChoice,
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 100, max: 1_000 }),
});

const filters = z.strictObject({
  kind: z.enum(diffKinds).optional(),
  column: z.string().optional(),
  values: values.max(20).optional(),
  cause: z.string().max(64).optional(),
});

const oneDifference = z.strictObject({
  difference: z.string().regex(/^[0-9a-f]{64}$/, "is not the name of a difference"),
  kind: z.enum(diffKinds),
  key: z.array(z.unknown()).max(100),
});

const said = {
  text: z.string().trim().max(10_000),
  isIntended: z.boolean(),
};
const remarkedRowsBody = filters.extend(reviewChoice);
type RemarkedBody = z.output<typeof remarkedRowsBody>;
const remarkBody = z
  .union([oneDifference.extend(said), remarkedRowsBody.extend(said)])
  .refine(({ text, isIntended }) => text !== "" || isIntended, {
    error: "a remark says something, or that the differences are intended",
    path: ["text"],
  });

const reviewBody = z.strictObject({ note: z.string().trim().max(10_000).default("") });

const historyQuery = z.object({
  notebook: notebookName,
  transform: name,
  limit: count({ default: 100, max: 1_000 }),
});

const causesQuery = z.object({ budget: count({ default: causesBudgetMs, max: 600_000 }) });

/** What is found of a comparison stays as it is. */
const forever = "private, max-age=3600, immutable";

/** Two versions of one transform on one snapshot: `POST` compares (a stream), the id then drills down. */
export function compareRoutes(workbench: Workbench) {
  const asked = ({ id }: { id: string }) => ({
    workbench,
    comparison: unwrap(findComparison(workbench, id)),
  });
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
    .get("/history", query(historyQuery), (c) => {
      const { limit, ...of } = c.req.valid("query");
      return c.json({ comparisons: comparisonHistory(workbench, of, limit) });
    })
    .get("/:id", path(z.object({ id })), (c) => c.json(asked(c.req.valid("param")).comparison))
    .get("/:id/rows", path(z.object({ id })), query(rowsQuery), async (c) => {
      const { offset, limit, review, since, remark, ...filter } = c.req.valid("query");
      const choice = { review, since, remark };
      const rows = unwrap(await reviewedRows({ ...asked(c.req.valid("param")), ...choice }));
      const page = { offset, limit, ...rowsFilter(filter) };
      return c.json(unwrap(await compareRows({ workbench, ...rows, ...page })));
    })
    .get(
      "/:id/review",
      path(z.object({ id })),
      query(z.object({ since: id.optional() })),
      async (c) => {
        const { since } = c.req.valid("query");
        // Not ended with the request, as the profile below.
        return c.json(unwrap(await reviewState({ ...asked(c.req.valid("param")), since })));
      },
    )
    .post("/:id/reviews", path(z.object({ id })), body(reviewBody), (c) => {
      return c.json(review(asked(c.req.valid("param")), c.req.valid("json").note));
    })
    .post("/:id/remarks", path(z.object({ id })), body(remarkBody), async (c) => {
      const { text, isIntended, ...about } = c.req.valid("json");
      const chosen = "difference" in about ? about : remarkedRows(about);
      const said = { text, isIntended, about: chosen };
      return c.json(unwrap(await remark({ ...asked(c.req.valid("param")), ...said })));
    })
    .delete("/:id/remarks/:remark", path(z.object({ id, remark: remarkId })), (c) => {
      const { id, remark } = c.req.valid("param");
      unwrap(removeRemark(asked({ id }), remark));
      return c.json({});
    })
    .get(
      "/:id/report",
      path(z.object({ id })),
      query(z.object({ format: z.enum(reportFormats) })),
      (c) => reportFile({ ...asked(c.req.valid("param")), ...c.req.valid("query") }),
    )
    .get(
      "/:id/export",
      path(z.object({ id })),
      query(z.object({ format: z.enum(rowFormats) })),
      (c) => {
        const isHead = c.req.raw.method === "HEAD";
        return rowsFile({ ...asked(c.req.valid("param")), ...c.req.valid("query"), isHead });
      },
    )
    .get("/:id/causes", path(z.object({ id })), query(causesQuery), async (c) => {
      const { budget: budgetMs } = c.req.valid("query");
      // As the profile below; only a long search that somebody asked for ends with their request.
      const signal = budgetMs > causesBudgetMs ? c.req.raw.signal : undefined;
      const request = { ...asked(c.req.valid("param")), budgetMs, signal };
      return c.json(unwrap(await compareCauses(request)));
    })
    .get("/:id/place", path(z.object({ id })), (c) => {
      const { comparison } = asked(c.req.valid("param"));
      return c.json({ place: transformPlace(workbench, comparison) ?? null });
    })
    .get(
      "/:id/profile",
      path(z.object({ id })),
      query(z.object({ column: z.string() })),
      async (c) => {
        const { column } = c.req.valid("query");
        // Not ended with the request: a worker that is killed forgets the differences it has found.
        const profile = unwrap(await compareProfile({ ...asked(c.req.valid("param")), column }));
        c.header("cache-control", forever);
        return c.json(profile);
      },
    );
}

function remarkedRows({ review, since, remark, ...filter }: RemarkedBody): RemarkedRows {
  return { review, since, remark, ...rowsFilter(filter) };
}

function rowsFilter({ kind, column, values, cause }: z.output<typeof filters>): RowsFilter {
  return {
    ...(kind ? { kind } : {}),
    ...(column === undefined ? {} : { column }),
    ...(values ? { values: values.map(valueFilter) } : {}),
    ...(cause === undefined ? {} : { cause }),
  };
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
