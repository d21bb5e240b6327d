import { z } from "zod";
import type { Type } from "avsc";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { readSecret, type RegistryConnection, type Surroundings } from "../connections.ts";
import { parseWriterSchema } from "./avro/writer-schema.ts";

/** What the registry says of an id. `unusable`: it has it, but nothing here reads it. */
export type Found =
  | { kind: "schema"; text: string; type: Type }
  | { kind: "unusable"; reason: string };

/**
 * A Confluent-compatible schema registry. An id means one schema for ever, so what was read is never asked again; an id it does
 * not know is asked again after a while, as the schema may still be on its way between the registry's own nodes.
 */
export type Registry = {
  /** What is held of an id now. */
  known(id: number): Found | undefined;
  /** Asks for what is not held. A problem says that the registry could not answer at all. */
  load(ids: readonly number[]): Promise<Problem | undefined>;
  /** The subject a schema is registered under, `preferred` where that is one of them. */
  subjectOf(id: number, preferred: string): Promise<string | undefined>;
  /** One request; a status the registry answered with is a value, whatever it is. */
  ask(method: "GET" | "POST", path: string, body?: unknown): Promise<Result<Answer>>;
};

export type Answer = { status: number; body: unknown };

/** The code of a problem that waiting may cure. */
export const REGISTRY_AWAY = "server-away";

const TIMEOUT_MS = 10_000;
/** An id that was unknown is asked for again after this. */
const UNKNOWN_MS = 30_000;
const AT_ONCE = 8;

export function openRegistry(
  connection: RegistryConnection,
  surroundings: Surroundings,
  now: () => number,
): Result<Registry> {
  const headers = new Headers({ accept: MEDIA, "content-type": MEDIA });
  if (connection.username !== undefined) {
    const password = connection.password && readSecret(connection.password, surroundings);
    if (password !== undefined && !password.ok) return password;
    const pair = `${connection.username}:${password?.value ?? ""}`;
    headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
  }
  const held = new Map<number, { found: Found; untilMs: number }>();

  async function ask(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
  ): Promise<Result<Answer>> {
    try {
      const response = await fetch(connection.url.replace(/\/$/, "") + path, {
        method,
        headers,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { status } = response;
      if (status === 401 || status === 403) return fail(refused(connection.url, status));
      if (status >= 500 || status === 429)
        return fail(away(connection.url, `it answered ${status}`));
      return ok({ status, body: await response.json() });
    } catch (cause) {
      return fail(away(connection.url, reasonOf(cause)));
    }
  }

  async function read(id: number): Promise<Problem | undefined> {
    const answer = await ask("GET", `/schemas/ids/${id}`);
    if (!answer.ok) return answer.problem;
    const found = await foundOf(answer.value, id);
    if (!found.ok) return found.problem;
    const isForGood = answer.value.status === 200;
    held.set(id, { found: found.value, untilMs: isForGood ? Infinity : now() + UNKNOWN_MS });
    return undefined;
  }

  async function foundOf({ status, body }: Answer, id: number): Promise<Result<Found>> {
    if (status === 404) return unusable(`the registry knows no schema ${id}`);
    const parsed = schemaAnswer.safeParse(body);
    if (status !== 200 || !parsed.success)
      return fail(away(connection.url, `it answered ${status} with something other than a schema`));
    const { schema, schemaType, references } = parsed.data;
    if (schemaType !== "AVRO") return unusable(`schema ${id} is ${schemaType}, not Avro`);
    const texts = await referenced(references, new Map());
    if (!texts.ok) return texts;
    const type = parseWriterSchema(schema, texts.value);
    return type.ok
      ? ok({ kind: "schema", text: schema, type: type.value })
      : unusable(`schema ${id}: ${type.problem.message}`);
  }

  /** The schemas that one refers to, those they refer to first, each once. */
  async function referenced(
    references: readonly Reference[],
    seen: Map<string, string>,
  ): Promise<Result<string[]>> {
    for (const { subject, version } of references) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      if (seen.has(path)) continue;
      seen.set(path, "");
      const answer = await ask("GET", path);
      if (!answer.ok) return answer;
      const parsed = schemaAnswer.safeParse(answer.value.body);
      if (!parsed.success) continue;
      const below = await referenced(parsed.data.references, seen);
      if (!below.ok) return below;
      seen.delete(path);
      seen.set(path, parsed.data.schema);
    }
    return ok([...seen.values()].filter((text) => text !== ""));
  }

  return ok({
    ask,
    known(id) {
      const entry = held.get(id);
      return entry !== undefined && entry.untilMs > now() ? entry.found : undefined;
    },
    async load(ids) {
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        const problems = await Promise.all(ids.slice(from, from + AT_ONCE).map(read));
        const problem = problems.find((one) => one !== undefined);
        if (problem !== undefined) return problem;
      }
      return undefined;
    },
    async subjectOf(id, preferred) {
      const answer = await ask("GET", `/schemas/ids/${id}/versions`);
      const parsed = versionsAnswer.safeParse(answer.ok ? answer.value.body : undefined);
      const subjects = parsed.success ? parsed.data.map(({ subject }) => subject) : [];
      return subjects.find((subject) => subject === preferred) ?? subjects[0];
    },
  });
}

const MEDIA = "application/vnd.schemaregistry.v1+json";

const reference = z.object({ name: z.string(), subject: z.string(), version: z.number() });
type Reference = z.infer<typeof reference>;

const schemaAnswer = z.object({
  schema: z.string(),
  schemaType: z.string().default("AVRO"),
  references: z
    .array(reference)
    .nullish()
    .transform((list) => list ?? []),
});

const versionsAnswer = z.array(z.object({ subject: z.string() }));

function unusable(reason: string): Result<Found> {
  return ok({ kind: "unusable", reason });
}

function away(url: string, reason: string): Problem {
  return {
    code: REGISTRY_AWAY,
    message: `The schema registry at ${url} cannot be reached: ${reason}.`,
    hint: "Nothing is lost: reading goes on when it is back.",
  };
}

function refused(url: string, status: number): Problem {
  return {
    code: "registry-refused",
    message: `The schema registry at ${url} refuses these credentials (${status}).`,
    hint: "Correct `username` and `password` under `registry` in the environment's file, then resume the pipeline.",
  };
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? cause.cause.message || cause.message : cause.message;
}
