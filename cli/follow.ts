import type { SessionEvent } from "#kernel/document.ts";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { onStopSignal } from "#web/server/until-stopped.ts";
import { accepted } from "./connect.ts";

/** What the routes of long work tell on the way; each tells some of it. */
type WorkProgress = { step?: string; fraction?: number; event?: SessionEvent };

type Line<Value> =
  | ({ type: "progress" } & WorkProgress)
  | { type: "done"; value: Value }
  | { type: "failed"; problem: Problem };

/** The signal that Ctrl-C aborts: closing the request cancels the work. A second Ctrl-C ends the process. */
export function cancelled(): AbortSignal {
  const abort = new AbortController();
  onStopSignal({
    first: () => abort.abort(),
    again: () => process.exit(130),
  });
  return abort.signal;
}

/** What is asked for, or an end to waiting for it: for an answer that is not told as it is made, or may wait for a server. */
export async function unlessCancelled<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined);
  const end = new Promise<never>((_, reject) => {
    const stop = () => reject(new ProblemError({ code: "cancelled", message: "Cancelled." }));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  return Promise.race([answer, end]);
}

/** Follows long work to its end (web/api/long-work.ts says what the lines are). Its failure is thrown as a problem. */
export async function follow<Value>(
  request: Promise<Pick<Response, "ok" | "status" | "text" | "body">>,
  onProgress: (progress: WorkProgress) => void,
): Promise<Value> {
  const response = await accepted(request);
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      if (text === "") continue;
      const line = JSON.parse(text) as Line<Value>;
      if (line.type === "done") return line.value;
      if (line.type === "failed") throw new ProblemError(line.problem);
      onProgress(line);
    }
  }
  throw new ProblemError({
    code: "stream-cut",
    message: "The work was cut off before it was done.",
    hint: "Check whether the server still runs (penstock status), then try again.",
  });
}
