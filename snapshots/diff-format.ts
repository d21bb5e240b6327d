import { z } from "zod";

const count = z.int().nonnegative();
const record = z.record(z.string(), z.unknown()).describe("A row: a column's name to its value.");
const text = z.string();

const sample = z.strictObject({
  key: z.array(z.unknown()).describe("In the order of `keys`; by position: input row and part."),
  left: record.nullable(),
  right: record.nullable(),
  columns: z.array(text).describe("The columns that changed."),
});

const scope = z.union([
  z.strictObject({ kind: z.enum(["all", "added", "removed"]) }),
  z.strictObject({ kind: z.literal("changed"), column: text.optional() }),
]);

const why = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("values"),
    column: text,
    values: z.array(text.nullable()).describe("DuckDB's text for each; null is NULL."),
  }),
  z.strictObject({ kind: z.literal("range"), column: text, from: text, to: text }),
  z.strictObject({ kind: z.enum(["shift", "factor"]), column: text, by: text }),
  z.strictObject({ kind: z.literal("rounding"), column: text, digits: z.int() }),
  z.strictObject({
    kind: z.enum(["becameNull", "stoppedBeingNull", "whitespace", "case"]),
    column: text,
  }),
]);

export const causeSchema = z.strictObject({
  text: text.describe("For people, e.g. `origin = DEN`."),
  scope: scope.describe("Which differences it is about."),
  why,
  from: z.enum(["input", "sides"]),
  differences: count.describe("The scope's differences."),
  covered: count.describe("How many of them this covers."),
  equal: count.describe("Equal rows that meet the condition too; 0 for a pattern."),
});

const column = z.strictObject({
  name: text,
  status: z.enum(["key", "compared", "added", "removed", "typeChanged", "ignored"]),
  leftType: text.nullable().describe("DuckDB's text; null where the side has no such column."),
  rightType: text.nullable(),
  rule: text.nullable().describe("As `--tolerance` writes it; null: values are compared exactly."),
  changed: count.describe("Rows, of those counted as changed."),
  nullToValue: count,
  valueToNull: count,
  largestDifference: z
    .union([z.number(), text])
    .optional()
    .describe("Of numbers; text where a JSON number would round it."),
});

/** A `DiffSummary` as `penstock diff --format json` prints it. docs/diff-format.schema.json is made from it. */
export const diffFormat = z.strictObject({
  identical: z.boolean(),
  complete: z.boolean().describe("False: all figures cover what `note` says, and no more."),
  keys: z.array(text),
  byPosition: z.literal(true).optional().describe("Rows were paired by their input row."),
  rows: z.strictObject({
    left: count,
    right: count,
    equal: count,
    changed: count,
    added: count,
    removed: count,
    ambiguous: z.strictObject({ keys: count, left: count, right: count }),
  }),
  columns: z.array(column),
  renameCandidates: z.array(
    z.strictObject({ left: text, right: text, type: text, equal: count, rows: count }),
  ),
  samples: z.strictObject({
    changed: z.array(sample),
    added: z.array(sample),
    removed: z.array(sample),
    ambiguous: z.array(sample),
  }),
  causes: z.array(causeSchema),
  elapsedMs: z.number().nonnegative(),
  note: text.optional(),
});
