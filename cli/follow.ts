import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { accepted } from "./connect.ts";

type Line<Progress, Value> =
  | ({ type: "progress" } & Progress)
  | { type: "done"; value: Value }
  | { type: "failed"; problem: Problem };

/** The signal that Ctrl-C aborts: closing the request cancels the work. A second Ctrl-C ends the process. */
export function cancelled(): AbortSignal {
  const abort = new AbortController();
  process.once("SIGINT", () => {
    abort.abort();
    process.once("SIGINT", () => process.exit(130));
  });
  process.once("SIGTERM", () => abort.abort());
  return abort.signal;
}

/** Follows long work to its end (web/api/long-work.ts says what the lines are). Its failure is thrown as a problem. */
export async function follow<Value, Progress extends object = object>(
  request: Promise<Pick<Response, "ok" | "status" | "text" | "body">>,
  onProgress: (progress: Progress) => void,
): Promise<Value> {
  const response = await accepted(request);
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      if (text === "") continue;
      const line = JSON.parse(text) as Line<Progress, Value>;
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
