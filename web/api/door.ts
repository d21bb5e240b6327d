import type { MiddlewareHandler } from "hono";
import { validator } from "hono/validator";
import { z } from "zod";
import { ProblemError, type Problem } from "#snapshots/problem.ts";

/** What a route reads beside its path, parsed once. The types reach `hc`: input as sent, output as parsed. */
type Parsed<Target extends "json" | "query" | "param", S extends z.ZodType> = MiddlewareHandler<
  object,
  string,
  {
    // Where nothing has to be said, `hc` need not be given an empty object.
    in: object extends z.input<S> ? { [K in Target]?: z.input<S> } : { [K in Target]: z.input<S> };
    out: { [K in Target]: z.output<S> };
  }
>;

/** The JSON body, or a 400 that names each field that is wrong. */
export function body<S extends z.ZodType>(schema: S): Parsed<"json", S> {
  return at("json", "The request's body", schema);
}

/** The query string, or a 400 that names each parameter that is wrong. */
export function query<S extends z.ZodType>(schema: S): Parsed<"query", S> {
  return at("query", "The address", schema);
}

/** The named parts of the path, or a 400. Names that could leave a folder never get past here. */
export function path<S extends z.ZodType>(schema: S): Parsed<"param", S> {
  return at("param", "The address", schema);
}

/** A name of a snapshot, source, notebook, transform or environment: one path segment, never hidden, never `..`. */
export const name = z
  .string()
  .max(200)
  .regex(/^[\p{L}\p{N}_][\p{L}\p{N}_@.+ -]*$/u, "is not a name (letters, digits and . _ - @)")
  .refine((text) => !text.includes("..") && !/[ .]$/.test(text), "is not a name");

export const tableHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, "is not a table's hash (64 hex digits)");

/** A release's hash or an unambiguous beginning of it. */
export const releaseHash = z
  .string()
  .regex(/^[0-9a-f]{6,64}$/, "is not a release's hash (6 to 64 hex digits)");

/** A whole number in a query string. */
export function count(options: { default: number; max: number }) {
  return z
    .string()
    .regex(/^\d{1,15}$/, "is not a whole number")
    .optional()
    .transform((text) => (text === undefined ? options.default : Number(text)))
    .refine((value) => value <= options.max, `is more than ${options.max}`);
}

/** `true` or `false` in a query string. */
export const flag = z
  .enum(["true", "false"])
  .optional()
  .transform((text) => text === "true");

/** One sentence for what does not fit a schema: each place and what is wrong there. */
export function misfit(what: string, error: z.ZodError): Problem {
  const places = error.issues.slice(0, 5).map(({ path, message }) => {
    const place = path.map(String).join(".");
    return place ? `\`${place}\` ${lowerFirst(message)}` : lowerFirst(message);
  });
  const more = error.issues.length > 5 ? ` (and ${error.issues.length - 5} more)` : "";
  return {
    code: "bad-request",
    message: `${what} does not fit: ${places.join("; ")}${more}.`,
    hint: "Correct it and send it again.",
  };
}

function at<Target extends "json" | "query" | "param", S extends z.ZodType>(
  target: Target,
  what: string,
  schema: S,
): Parsed<Target, S> {
  return validator(target, (value: unknown) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new ProblemError(misfit(what, parsed.error));
  }) as unknown as Parsed<Target, S>;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
