import { z } from "zod";

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `10m`, `2h`, `7d`, read as milliseconds. */
const duration = z
  .string()
  .regex(/^[1-9]\d{0,5}[smhd]$/, 'a duration is a number and s, m, h or d, as in "10m"')
  .transform((text) => Number(text.slice(0, -1)) * (UNIT_MS[text.slice(-1)] ?? 0));

const column = z.string().min(1);
const literal = z.union([z.string(), z.number(), z.boolean()]);

/** `flag`: counted and passed on. `deadLetter`: the record stops here. `halt`: the pipeline stops before it. */
const severity = z.enum(["flag", "deadLetter", "halt"]).default("flag");
const name = z.string().min(1).max(100).exactOptional();

const notNull = z.strictObject({ notNull: z.array(column).min(1), name, severity });
const range = z.strictObject({
  range: z
    .strictObject({ column, min: literal.exactOptional(), max: literal.exactOptional() })
    .refine(({ min, max }) => min !== undefined || max !== undefined, "say min, max or both"),
  name,
  severity,
});
const set = z.strictObject({
  set: z.strictObject({ column, values: z.array(literal).min(1).max(10_000) }),
  name,
  severity,
});
const pattern = z.strictObject({
  pattern: z.strictObject({ column, regex: z.string().min(1).max(1000) }),
  name,
  severity,
});
const freshness = z.strictObject({
  freshness: z.strictObject({ maxAge: duration }),
  name,
  severity,
});
const unique = z.strictObject({
  unique: z.strictObject({
    columns: z.array(column).min(1),
    within: z.union([duration, z.strictObject({ records: z.int().min(1).max(1_000_000) })]),
  }),
  name,
  severity,
});
const volume = z.strictObject({
  volume: z
    .strictObject({
      against: z.literal("history").default("history"),
      /** Shares of the usual number of records in a minute. */
      lower: z.number().min(0).max(1).default(0),
      upper: z.number().min(1).exactOptional(),
    })
    .refine(({ lower, upper }) => lower > 0 || upper !== undefined, "say lower, upper or both"),
  name,
  // A minute's number of records is no single record's fault.
  severity: z.enum(["flag", "halt"]).default("flag"),
});

const rule = z.union([notNull, range, set, pattern, freshness, unique, volume]);

/** A rule about incoming data, as a source's file has it. */
export type ExpectationRule = z.infer<typeof rule>;

/** A rule under the name its history is kept by. */
export type Expectation = ExpectationRule & { name: string };

const expectations = z
  .array(rule)
  .max(100)
  .transform((rules, context) => {
    const named = rules.map((one): Expectation => ({ ...one, name: one.name ?? nameOf(one) }));
    const again = named.find((one, i) => named.findIndex(({ name }) => name === one.name) < i);
    if (again !== undefined)
      context.addIssue(`two expectations are called "${again.name}": give one a \`name\``);
    return named;
  });

function nameOf(one: ExpectationRule): string {
  if ("notNull" in one) return `notNull ${one.notNull.join(", ")}`;
  if ("range" in one) return `range ${one.range.column}`;
  if ("set" in one) return `set ${one.set.column}`;
  if ("pattern" in one) return `pattern ${one.pattern.column}`;
  if ("unique" in one) return `unique ${one.unique.columns.join(", ")}`;
  return "volume" in one ? "volume" : "freshness";
}

/** How the records of a source's topic are written, and what is expected of them. */
export const streamSchema = z.strictObject({
  /** `text`: the whole value as one VARCHAR column. `csv`: one line a record, columns in the contract's order. */
  format: z.enum(["json", "avro", "text", "csv"]).default("json"),
  /** Of the keys of tombstones. `json`: JSON, or text without quotes. `text`: the bytes as they are. */
  keyFormat: z.enum(["json", "text", "avro"]).default("json"),
  /** Of CSV. */
  delimiter: z
    .string()
    .length(1)
    .refine((text) => !/["\r\n]/.test(text), "a delimiter is neither a quote nor a line's end")
    .default(","),
  expectations: expectations.default([]),
});
export type StreamSettings = z.infer<typeof streamSchema>;

/** A source that says nothing of its stream: JSON, and nothing expected beyond its contract. */
export const PLAIN_STREAM: StreamSettings = streamSchema.parse({});
