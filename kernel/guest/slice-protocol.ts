import { z } from "zod";
import type { TableExpression } from "./runtime/expressions.ts";

const literal = z.object({
  kind: z.literal("literal"),
  value: z.union([z.string(), z.number(), z.boolean(), z.null()]),
});

const share = z.number().gt(0).lt(1);
const seed = z.int();
const splitHow = z.discriminatedUnion("by", [
  z.object({ by: z.literal("random"), share, seed }),
  z.object({ by: z.literal("key"), columns: z.array(z.string()).min(1), share, seed }),
  z.object({ by: z.literal("time"), column: z.string(), from: z.string() }),
]);

export const tableExpression: z.ZodType<TableExpression> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("snapshot"), name: z.string() }),
  z.object({
    kind: z.literal("sql"),
    strings: z.array(z.string()),
    get values() {
      return z.array(z.union([literal, tableExpression]));
    },
  }),
  z.object({ kind: z.literal("transform"), name: z.string() }),
  z.object({
    kind: z.literal("split"),
    get input() {
      return tableExpression;
    },
    part: z.enum(["train", "test"]),
    how: splitHow,
  }),
]) as z.ZodType<TableExpression>;

const better = z.enum(["higher", "lower"]);
const metricKind = z.enum([
  "mean",
  "ratio",
  "sum",
  "count",
  "accuracy",
  "precision",
  "recall",
  "f1",
  "auc",
  "logLoss",
  "calibration",
  "mae",
  "rmse",
  "free",
]);
const columnName = z.string().min(1).max(1000);

const rows = z.int().min(0).optional();
const diffExpectation = z.object({
  transform: z.string(),
  version: z.string().max(1000).nullable(),
  columns: z.array(z.string()).nullable(),
  limits: z.object({ changed: rows, added: rows, removed: rows, ambiguous: rows }).nullable(),
});

export const bundleDescription = z.object({
  transforms: z.record(
    z.string(),
    z.object({
      input: tableExpression,
      lookups: z.record(z.string(), z.object({ table: tableExpression, by: z.array(z.string()) })),
      maxParts: z.int().min(1).max(1024),
    }),
  ),
  metrics: z.array(
    z.object({
      name: z.string(),
      table: tableExpression,
      kind: metricKind,
      better: better.optional(),
      /** The column whose values are its segments. */
      by: columnName.optional(),
      /** The column whose values are drawn together when records are drawn again. */
      resample: z.object({ by: columnName }).optional(),
    }),
  ),
  expectations: z.array(diffExpectation).optional(),
});
export type DiffExpectation = z.infer<typeof diffExpectation>;
export type BundleDescription = z.infer<typeof bundleDescription>;

const place = {
  line: z.int().optional(),
  column: z.int().optional(),
};
const count = z.int().min(0);

/** What a slice guest may say. Its frames are untrusted: whatever does not parse ends it. */
export const sliceMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("opened"),
    description: bundleDescription.optional(),
    /** Of the input's columns, those that are looked at; all of them when it does not say. */
    columns: z.array(z.string()).optional(),
  }),
  z.object({
    type: z.literal("batch"),
    read: count,
    filtered: count,
    written: count,
    droppedLines: count,
    elapsedMs: z.number().min(0),
    errors: z.array(z.object({ row: count, message: z.string().max(4000), ...place })),
  }),
  z.object({
    type: z.literal("finished"),
    values: z.array(
      z.object({
        value: z.number().nullable(),
        rows: count,
        failed: count,
        first: z.object({ message: z.string().max(4000), ...place }).optional(),
      }),
    ),
    droppedLines: count,
  }),
  z.object({
    type: z.literal("resampled"),
    values: z.array(z.number().nullable()),
    droppedLines: count,
  }),
  z.object({ type: z.literal("failed"), message: z.string().max(4000), ...place }),
]);
export type SliceMessage = z.infer<typeof sliceMessage>;
