import { Hono } from "hono";
import { z } from "zod";
import type { SessionEvent } from "#kernel/document.ts";
import { runNotebook } from "#kernel/headless.ts";
import type { Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { body, path } from "./door.ts";
import { streamWork } from "./long-work.ts";
import { createNotebook, listNotebooks, notebookName, notebookPath } from "./notebook-files.ts";

const createBody = z.strictObject({ name: notebookName, snapshot: z.string().optional() });
const runBody = z.strictObject({ text: z.string().optional() });

/** Notebooks as files: list, make, run one from top to bottom. Editing goes over its session's WebSocket (messages.ts). */
export function notebookRoutes(workbench: Workbench) {
  const { workspace, store, queries } = workbench;
  return new Hono()
    .get("/", (c) => c.json({ notebooks: listNotebooks(workbench) }))
    .post("/", body(createBody), (c) => {
      const created = unwrap(createNotebook(workbench, c.req.valid("json")));
      return c.json(created, 201);
    })
    .post("/:name/run", path(z.object({ name: notebookName })), body(runBody), (c) => {
      const file = unwrap(notebookPath(workspace, c.req.valid("param").name));
      const { text } = c.req.valid("json");
      return streamWork(c.req.raw, (signal, onProgress: (p: { event: SessionEvent }) => void) =>
        runNotebook({
          workspace,
          store,
          queries,
          path: file,
          ...(text === undefined ? {} : { text }),
          signal,
          onEvent: (event: SessionEvent) => onProgress({ event }),
        }),
      );
    });
}
