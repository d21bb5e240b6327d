import { Hono } from "hono";
import type { Workbench } from "#promote/workbench.ts";

/** Who serves this workspace and what it is busy with; the command line asks this before it trusts a `server.json`. */
export function statusRoutes(workbench: Workbench) {
  return new Hono().get("/", (c) =>
    c.json({
      pid: process.pid,
      node: process.versions.node,
      workspace: workbench.workspace.root,
      name: workbench.workspace.name,
      uptimeSeconds: Math.round(process.uptime()),
      memoryBytes: process.memoryUsage().rss,
      sessions: [...workbench.sessions].map(([name, session]) => ({
        name,
        isDirty: session.document().isDirty,
        running: session.document().running ?? null,
      })),
      pipelines: workbench.sync.status(),
    }),
  );
}
