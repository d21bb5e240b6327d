import { readFile } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { NotebookDocument, SessionEvent } from "./document.ts";
import type { Evaluation } from "./evaluate.ts";
import { openSession } from "./session-host.ts";

/** Runs a whole notebook once, without a page: every cell in the order of the file, in a kernel of its own. */
export async function runNotebook(
  request: Evaluation & {
    /** Of the notebook: absolute, or relative to the workspace. */
    path: string;
    /** Another text in place of the file's. */
    text?: string;
    signal?: AbortSignal;
    onEvent?: (event: SessionEvent) => void;
  },
): Promise<Result<NotebookDocument>> {
  const { path, signal, onEvent, workspace, store, queries } = request;
  const file = isAbsolute(path) ? path : join(workspace.root, path);
  const text = request.text ?? (await readFile(file, "utf8").catch(() => undefined));
  if (text === undefined)
    return fail({
      code: "no-notebook",
      message: `There is no notebook ${path}.`,
      hint: "Name a .ts file in notebooks/.",
    });
  const opened = await openSession({
    workspace,
    store,
    queries,
    name: basename(file, ".ts"),
    text,
  });
  if (!opened.ok) return opened;
  const session = opened.value;
  const interrupt = () => void session.apply({ type: "interrupt" });
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    if (onEvent) session.subscribe(onEvent);
    if (!signal?.aborted) await session.apply({ type: "runAll" });
    await session.whenIdle();
    if (signal?.aborted)
      return fail({
        code: "cancelled",
        message: "The run was cancelled.",
        hint: "Nothing was changed; run it again when you like.",
      });
    return ok(session.document());
  } finally {
    signal?.removeEventListener("abort", interrupt);
    await session.close();
  }
}
