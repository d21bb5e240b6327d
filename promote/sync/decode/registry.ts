import { z } from "zod";
import type { Type } from "avsc";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { readSecret, type RegistryConnection, type Surroundings } from "../connections.ts";
import { isTlsRefusal } from "../tls-refusal.ts";
import { parseWriterSchema } from "./avro/writer-schema.ts";

/** What the registry says of an id. `unusable`: nothing here reads it; `text` is what the registry has of it, if anything. */
export type Found =
  | { kind: "schema"; text: string; type: Type }
  | { kind: "unusable"; reason: string; text?: string };

/**
 * A Confluent-compatible schema registry. An id means one schema for ever, so what was read is never asked again; an id it does
 * not know, or whose references it does not, is asked again after a while, as the schema may still be on its way between the registry's own nodes.
 */
export type Registry = {
  /** What is held of an id now. */
  known(id: number): Found | undefined;
  /** Asks for what is not held. A problem says that the registry could not answer at all. */
  load(ids: readonly number[]): Promise<Problem | undefined>;
  /** What is held now of the subject a schema is registered under, `preferred` where that is one of them. */
  subjectOf(id: number, preferred: string): string | undefined;
  /** Asks for the subjects of schemas. A promise only the first time an id is asked for: no batch waits for a name twice. */
  loadSubjects(ids: readonly number[]): Promise<unknown> | undefined;
  /** One request; a status the registry answered with is a value, whatever it is. */
  ask(method: "GET" | "POST", path: string, body?: unknown): Promise<Result<Answer>>;
};

export type Answer = { status: number; body: unknown };

/** The code of a problem that waiting may cure. */
export const REGISTRY_AWAY = "server-away";

const TIMEOUT_MS = 10_000;
/** An id that was unknown is asked for again after this. */
const UNKNOWN_MS = 30_000;
/** A subject is a name on a page, so a registry that hangs is not waited for long. */
const SUBJECT_MS = 1000;
/** Bytes that are not Avro can name any number of ids. */
const MOST_UNUSABLE = 1000;
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
  const schemas = new Map<number, Found>();
  const unusable = new Map<number, { found: Found; untilMs: number }>();
  const subjects = new Map<number, { names: string[]; untilMs: number }>();

  async function ask(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    timeoutMs = TIMEOUT_MS,
  ): Promise<Result<Answer>> {
    try {
      const response = await fetch(connection.url.replace(/\/$/, "") + path, {
        method,
        headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { status } = response;
      if (status === 401 || status === 403) return fail(refused(connection.url, status));
      if (status >= 500 || status === 429 || status === 408)
        return fail(away(connection.url, `it answered ${status}`));
      return ok({ status, body: parseJson(await response.text()) });
    } catch (cause) {
      const inner = innerError(cause);
      const reason = inner instanceof Error ? inner.message : String(inner);
      return fail((isTlsRefusal(inner) ? noTls : away)(connection.url, reason));
    }
  }

  async function read(id: number): Promise<Problem | undefined> {
    const answer = await ask("GET", `/schemas/ids/${id}`);
    if (!answer.ok) return answer.problem;
    const found = await foundOf(answer.value, id);
    if (!found.ok) return found.problem;
    if (found.value.kind === "schema") schemas.set(id, found.value);
    else hold(id, found.value);
    return undefined;
  }

  function hold(id: number, { mayChange, ...found }: Unusable): void {
    unusable.delete(id);
    unusable.set(id, { found, untilMs: mayChange ? now() + UNKNOWN_MS : Infinity });
    const [oldest] = unusable.keys();
    if (oldest !== undefined && unusable.size > MOST_UNUSABLE) unusable.delete(oldest);
  }

  async function foundOf(
    { status, body }: Answer,
    id: number,
  ): Promise<Result<(Found & { kind: "schema" }) | Unusable>> {
    const parsed = schemaAnswer.safeParse(body);
    if (status !== 200 || !parsed.success) {
      const problem = await awayUnlessThere({ status, body });
      if (problem !== undefined) return fail(problem);
      return ok(
        changing(
          status === 404
            ? `the registry knows no schema ${id}`
            : `the registry answers ${status} for schema ${id}, and no schema`,
        ),
      );
    }
    const { schema: text, schemaType, references } = parsed.data;
    const none = { kind: "unusable" as const, text, mayChange: false };
    if (schemaType !== "AVRO")
      return ok({ ...none, reason: `schema ${id} is ${schemaType}, not Avro` });
    const missing: string[] = [];
    const texts = await referenced(references, new Map(), missing);
    if (!texts.ok) return texts;
    const type = parseWriterSchema(text, texts.value);
    if (type.ok) return ok({ kind: "schema", text, type: type.value });
    const lacks = missing.map((subject) => ` The registry has no ${subject}, which it refers to.`);
    const reason = `schema ${id}: ${type.problem.message}${lacks.join("")}`;
    return ok({ ...none, reason, mayChange: missing.length > 0 });
  }

  /**
   * Of an answer without a schema: one thing that the registry will not answer for is a record's fault; a proxy in the registry's
   * place, which says the same of everything, is waited out.
   */
  async function awayUnlessThere({ status, body }: Answer): Promise<Problem | undefined> {
    if (status === 404 && errorAnswer.safeParse(body).success) return undefined;
    const answer = await ask("GET", "/schemas/types");
    return answer.ok && registryAnswer.safeParse(answer.value.body).success
      ? undefined
      : away(connection.url, `it answered ${status} with something other than a schema`);
  }

  /** The schemas that one refers to, those they refer to first, each once. */
  async function referenced(
    references: readonly Reference[],
    seen: Map<string, string>,
    missing: string[],
  ): Promise<Result<string[]>> {
    for (const { subject, version } of references) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      if (seen.has(path)) continue;
      seen.set(path, "");
      const answer = await ask("GET", path);
      if (!answer.ok) return answer;
      const parsed = schemaAnswer.safeParse(answer.value.body);
      if (!parsed.success) {
        const problem = await awayUnlessThere(answer.value);
        if (problem !== undefined) return fail(problem);
        missing.push(`version ${version} of ${subject}`);
        continue;
      }
      const below = await referenced(parsed.data.references, seen, missing);
      if (!below.ok) return below;
      seen.delete(path);
      seen.set(path, parsed.data.schema);
    }
    return ok([...seen.values()].filter((text) => text !== ""));
  }

  async function readSubjects(id: number): Promise<void> {
    const { names } = subjects.get(id) ?? { names: [] };
    subjects.set(id, { names, untilMs: now() + UNKNOWN_MS });
    const answer = await ask("GET", `/schemas/ids/${id}/versions`, undefined, SUBJECT_MS);
    const parsed = versionsAnswer.safeParse(answer.ok ? answer.value.body : undefined);
    if (parsed.success && parsed.data.length > 0)
      subjects.set(id, { names: parsed.data.map(({ subject }) => subject), untilMs: Infinity });
  }

  return ok({
    ask: (method, path, body) => ask(method, path, body),
    known(id) {
      const schema = schemas.get(id);
      if (schema !== undefined) return schema;
      const entry = unusable.get(id);
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
    subjectOf(id, preferred) {
      const names = subjects.get(id)?.names ?? [];
      return names.find((name) => name === preferred) ?? names[0];
    },
    loadSubjects(ids) {
      const unheard = ids.filter((id) => !subjects.has(id));
      const old = ids.filter((id) => (subjects.get(id)?.untilMs ?? Infinity) <= now());
      for (const id of old) void readSubjects(id);
      return unheard.length === 0 ? undefined : Promise.all(unheard.map(readSubjects));
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

const errorAnswer = z.object({ error_code: z.number() });
/** A registry's list of schema types, or a registry's words that it does not know this path. */
const registryAnswer = z.union([z.array(z.string()), errorAnswer]);

type Unusable = Found & { kind: "unusable" } & { mayChange: boolean };

function changing(reason: string): Unusable {
  return { kind: "unusable", reason, mayChange: true };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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

function noTls(url: string, reason: string): Problem {
  return {
    code: "registry-tls",
    message: `The schema registry at ${url} does not come to terms over TLS: ${reason}.`,
    hint: "Correct `url` under `registry` in the environment's file, or name the file of the authority that signed its certificate in NODE_EXTRA_CA_CERTS where Penstock or its worker is started. Then resume the pipeline.",
  };
}

/** `fetch` says only that it failed, and why within. */
function innerError(cause: unknown): unknown {
  return cause instanceof Error && cause.cause instanceof Error && cause.cause.message !== ""
    ? cause.cause
    : cause;
}
