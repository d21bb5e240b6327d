import type { NotebookSession } from "#kernel/session-host.ts";
import { openSession } from "#kernel/session-host.ts";
import { diffChecker } from "#promote/expect-diff.ts";
import type { Workbench } from "#promote/workbench.ts";
import { fail, type Result } from "#snapshots/problem.ts";
import { notebookPath } from "../api/notebook-files.ts";
import { problemOf } from "../api/refusal.ts";

export type OpenSession = (name: string) => Promise<Result<NotebookSession>>;

/** One session a notebook, however many pages ask at once. It stays open when they go, until the workbench closes. */
export function sessionOpener(workbench: Workbench): OpenSession {
  const opening = new Map<string, Promise<Result<NotebookSession>>>();
  return (name) => {
    const open = workbench.sessions.get(name);
    if (open) return Promise.resolve({ ok: true, value: open });
    const begun = opening.get(name) ?? begin(name);
    opening.set(name, begun);
    return begun;
  };

  async function begin(name: string): Promise<Result<NotebookSession>> {
    const { workspace, store, queries } = workbench;
    try {
      const path = notebookPath(workspace, name);
      if (!path.ok && path.problem.code === "notebook-outside") return path;
      const opened = await openSession({
        workspace,
        store,
        queries,
        name,
        checkDiff: diffChecker(workbench),
      });
      if (opened.ok) workbench.sessions.set(name, opened.value);
      return opened;
    } catch (error) {
      // A page waits for this without asking again: it must hear, and the server must live.
      return fail(problemOf(error));
    } finally {
      opening.delete(name);
    }
  }
}
