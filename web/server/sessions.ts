import type { NotebookSession } from "#kernel/session-host.ts";
import { openSession } from "#kernel/session-host.ts";
import type { Workbench } from "#promote/workbench.ts";
import type { Result } from "#snapshots/problem.ts";

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
      const opened = await openSession({ workspace, store, queries, name });
      if (opened.ok) workbench.sessions.set(name, opened.value);
      return opened;
    } finally {
      opening.delete(name);
    }
  }
}
