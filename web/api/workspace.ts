import { Hono } from "hono";
import type { Workbench } from "#promote/workbench.ts";
import { listSnapshots, listSources } from "#snapshots/workspace.ts";

/** The workspace as a whole, and the sources its files declare. */
export function workspaceRoutes(workbench: Workbench) {
  const { workspace } = workbench;
  return new Hono()
    .get("/workspace", (c) => {
      const { sources, problems } = listSources(workspace);
      const snapshots = listSnapshots(workspace);
      return c.json({
        name: workspace.name,
        root: workspace.root,
        person: workbench.person,
        counts: { sources: sources.length, snapshots: snapshots.snapshots.length },
        problems: [...problems, ...snapshots.problems],
      });
    })
    .get("/sources", (c) => c.json(listSources(workspace)));
}
