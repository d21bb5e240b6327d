import { hc, type ClientResponse } from "hono/client";
import type { JSONValue } from "hono/utils/types";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import type { Api } from "#web/api/app.ts";

/** The whole API, typed from the server's routes: `await read(api.notebooks.$get())`. */
export const api = hc<Api>("/").api;

type Refusal = { problem: Problem };
type Body<R> = R extends ClientResponse<infer T> ? Exact<Exclude<T, Refusal>> : never;

/** JSON has no `undefined`: an optional field is there or not. (Hono's types allow both, `exactOptionalPropertyTypes` does not.) */
type Exact<T> = [JSONValue] extends [T]
  ? T
  : T extends object
    ? { [K in keyof T]: Exact<Exclude<T[K], undefined>> }
    : T;

/** The body of a good answer. Anything else is thrown as a `ProblemError`, with what the server said. */
export async function read<R extends ClientResponse<unknown>>(
  request: Promise<R>,
): Promise<Body<R>> {
  const response = await answered(request);
  return (await response.json()) as Body<R>;
}

/** The bytes of a good answer: an Arrow IPC stream. */
export async function readBytes(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const response = await answered(fetch(path, signal ? { signal } : {}));
  return new Uint8Array(await response.arrayBuffer());
}

type StreamEvent<P, V> =
  | ({ type: "progress" } & P)
  | { type: "done"; value: V }
  | { type: "failed"; problem: Problem };

/**
 * Follows long work: calls `onProgress` for each step and resolves with the result. Abort the request's signal to cancel the
 * work itself. Rejects with a `ProblemError` when the work failed, or when the stream ends before it is done.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what its work reports
export async function follow<V, P = Record<string, unknown>>(
  request: Promise<Pick<Response, "ok" | "status" | "body" | "text">>,
  onProgress: (progress: P) => void = () => {},
): Promise<V> {
  const response = await answered(request);
  for await (const line of lines(response.body)) {
    const event = JSON.parse(line) as StreamEvent<P, V>;
    if (event.type === "done") return event.value;
    if (event.type === "failed") throw new ProblemError(event.problem);
    onProgress(event);
  }
  throw new ProblemError({
    code: "stream-cut",
    message: "The connection ended before the work did.",
    hint: "Check that the server is still running, then try again.",
  });
}

/** What to show for anything thrown: a problem as it is, a lost server as one, a bug by its message. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) {
    return {
      code: "server-unreachable",
      message: "The Penstock server does not answer.",
      hint: "Start it again with `npm start`; this page picks up where it was.",
    };
  }
  return { code: "page-error", message: error instanceof Error ? error.message : String(error) };
}

/** True for what `AbortController.abort()` causes: asked for, so nothing to report. */
export function isCancelled(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

async function answered<R extends Pick<Response, "ok" | "status" | "text">>(
  request: Promise<R>,
): Promise<R> {
  const response = await request;
  if (response.ok) return response;
  throw new ProblemError(refusal(response.status, await response.text()));
}

function refusal(status: number, text: string): Problem {
  try {
    const body: unknown = JSON.parse(text);
    if (body && typeof body === "object" && "problem" in body) return body.problem as Problem;
  } catch {
    // Not JSON: a proxy or the server's own error page answered.
  }
  if (status === 401 || status === 403) {
    return {
      code: "signed-out",
      message: "The server does not know this browser.",
      hint: "Open the address with the token that the server printed when it started.",
    };
  }
  return {
    code: `http-${status}`,
    message: `The server answered ${status}. ${text.slice(0, 200)}`,
  };
}

async function* lines(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  if (!body) return;
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream() as never).getReader();
  try {
    for (;;) {
      const { value, done } = (await reader.read()) as { value: string | undefined; done: boolean };
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part.trim()) yield part;
    }
    if (rest.trim()) yield rest;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
