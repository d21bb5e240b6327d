import { errors } from "@elastic/elasticsearch";
import type { Problem } from "#snapshots/problem.ts";
import type { Outcome } from "../ports.ts";
import { isTlsRefusal } from "../tls-refusal.ts";

/** An error as Elasticsearch puts it in a body; `reason` is null where a Java exception has no message. */
export type ElasticError = { type?: string; reason?: string | null; caused_by?: ElasticError };

/** What a failed request or item says, whatever way it came. */
export type Failure = { status: number; type: string; reason: string };

/** No answer at all: refused, cut, timed out, or not Elasticsearch's. */
const NO_ANSWER = 0;
const TLS = "tls";

export function failureOf(cause: unknown): Failure {
  if (cause instanceof errors.ResponseError) {
    const { error } = bodyOf(cause.body);
    return {
      status: cause.statusCode ?? NO_ANSWER,
      type: error.type ?? "",
      reason: reasonOf(error),
    };
  }
  if (cause instanceof errors.ElasticsearchClientError)
    return {
      status: NO_ANSWER,
      type: isTlsRefusal(cause) ? TLS : cause.name,
      reason: cause.message.split("\n")[0] ?? "",
    };
  throw cause;
}

function bodyOf(body: unknown): { error: ElasticError } {
  if (typeof body === "object" && body !== null && "error" in body) {
    const { error } = body;
    if (typeof error === "object" && error !== null) return { error };
    return { error: { reason: String(error) } };
  }
  return { error: { reason: typeof body === "string" ? body.slice(0, 200) : "no reason given" } };
}

/** The reason down to its innermost cause, which is the one that names the value. */
export function reasonOf(error: ElasticError): string {
  const own = error.reason ?? error.type ?? "no reason given";
  const inner = error.caused_by === undefined ? undefined : reasonOf(error.caused_by);
  return inner === undefined || own.includes(inner) ? own : `${own}: ${inner}`;
}

const AFTER_MS = 100;
const AFTER_FULL_DISK_MS = 5000;

/** Elasticsearch's words (9.5) for what it puts as an illegal argument and is none of the document's: it would refuse all others, too. */
const OF_INDEX = /^(?:no write index is defined for alias|pipeline with id \[)/;

/** What a failure means for the operations it came to. 413 is not among them: it asks for smaller requests. */
export function outcomeOf(failure: Failure, sink: string): Outcome {
  const { status, type, reason } = failure;
  if (status === 409) return { kind: "stale" };
  if (type === "cluster_block_exception") return blocked(failure, sink);
  if (type === TLS)
    return {
      kind: "halt",
      problem: {
        code: "elasticsearch-tls",
        message: `The sink ${sink} and Elasticsearch do not come to terms over TLS: ${reason}.`,
        hint: "Set elasticsearch.nodes in environments/*.yaml to http where they speak without TLS, else elasticsearch.tls to the ca that signed their certificates, which have to name their addresses. Then resume the pipeline.",
      },
    };
  if (status === NO_ANSWER || status === 408 || status === 429 || status >= 500)
    return { kind: "retryAfter", afterMs: AFTER_MS, problem: transient(failure, sink) };
  if (status === 401 || status === 403)
    return {
      kind: "halt",
      problem: {
        code: "elasticsearch-refused",
        message: `Elasticsearch does not let the sink ${sink} write: ${reason} (${status}).`,
        hint: "Check the user or API key the environment names and its rights on the index (write, view_index_metadata), then resume the pipeline.",
      },
    };
  if (status === 404)
    return {
      kind: "halt",
      problem: {
        code: "elasticsearch-index-missing",
        message: `The index of the sink ${sink} is gone: ${reason}.`,
        hint: "Restore it from a backup, or start the pipeline again to make an empty one and fill it with a backfill.",
      },
    };
  if (type === "index_closed_exception" || OF_INDEX.test(reason))
    return {
      kind: "halt",
      problem: {
        code: "elasticsearch-index-unusable",
        message: `The index of the sink ${sink} takes no documents: ${reason}.`,
        hint: "Open it (POST /<index>/_open), or mend the alias or ingest pipeline that is named, then resume the pipeline.",
      },
    };
  if (type === "strict_dynamic_mapping_exception")
    return {
      kind: "halt",
      problem: {
        code: "elasticsearch-mapping-changed",
        message: `The index of the sink ${sink} has lost a field it had: ${reason}.`,
        hint: "Somebody made the index again by hand. Start the pipeline again: it adds what is missing.",
      },
    };
  return { kind: "reject", reason: `Elasticsearch refused it (${type || status}): ${reason}` };
}

/** A full disk lifts its own block once there is room; a block set by a person stays. */
function blocked({ status, reason }: Failure, sink: string): Outcome {
  if (status === 403)
    return {
      kind: "halt",
      problem: {
        code: "elasticsearch-read-only",
        message: `The index of the sink ${sink} is closed for writing: ${reason}.`,
        hint: "Lift the block (PUT /<index>/_settings with index.blocks.write and index.blocks.read_only false), then resume the pipeline.",
      },
    };
  const isFull = reason.includes("flood");
  return {
    kind: "retryAfter",
    afterMs: isFull ? AFTER_FULL_DISK_MS : AFTER_MS,
    problem: {
      code: isFull ? "elasticsearch-disk-full" : "elasticsearch-blocked",
      message: `Elasticsearch blocks writes of the sink ${sink}: ${reason}.`,
      hint: isFull
        ? "Free space on its disks. The sink goes on by itself."
        : "The sink goes on by itself once the cluster is ready.",
    },
  };
}

function transient({ status, reason }: Failure, sink: string): Problem {
  return {
    code: status === NO_ANSWER ? "elasticsearch-unreachable" : "elasticsearch-busy",
    message:
      status === NO_ANSWER
        ? `Elasticsearch did not answer the sink ${sink}: ${reason}.`
        : `Elasticsearch answered the sink ${sink} with ${status}: ${reason}.`,
    hint: "It is tried again and again, and goes on by itself.",
  };
}

/** For requests that prepare, switch or look: any failure is a problem. */
export function problemOf(cause: unknown, doing: string, sink: string): Problem {
  const failure = failureOf(cause);
  const outcome = outcomeOf(failure, sink);
  if (outcome.kind === "halt" || outcome.kind === "retryAfter") return outcome.problem;
  return {
    code: "elasticsearch-request",
    message: `Elasticsearch refused to ${doing} for the sink ${sink}: ${failure.reason} (${failure.status}).`,
    hint: "Change what it names, then start the pipeline again.",
  };
}
