import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Workbench } from "#promote/workbench.ts";
import { compareRoutes } from "./compare.ts";
import { diffRoutes } from "./diff.ts";
import { environmentRoutes } from "./environments.ts";
import { notebookRoutes } from "./notebooks.ts";
import { pipelineRoutes } from "./pipelines.ts";
import { refuse } from "./refusal.ts";
import { releaseRoutes } from "./releases.ts";
import { snapshotRoutes } from "./snapshots.ts";
import { statusRoutes } from "./status.ts";
import { tableRoutes } from "./tables.ts";
import { workspaceRoutes } from "./workspace.ts";

/** A notebook's text is the largest thing a request carries. */
const bodyLimitBytes = 4 * 1024 * 1024;

/**
 * The whole API over one workbench. The server mounts it under SvelteKit, the command line calls its `fetch`, pages and
 * tests type their calls by it (`hc<Api>`). Who may call is decided before (web/auth): there is no sign-in here.
 */
export function createApi(workbench: Workbench) {
  const app = new Hono().basePath("/api");
  app.use(
    bodyLimit({
      maxSize: bodyLimitBytes,
      onError: (c) =>
        c.json(
          {
            problem: {
              code: "body-too-large",
              message: `The request is larger than ${bodyLimitBytes / 1024 / 1024} MB.`,
              hint: "Send less: data reaches Penstock through a source, not through the API.",
            },
          },
          413,
        ),
    }),
  );
  app.use(async (c, next) => {
    await next();
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  });
  app.onError(refuse);
  app.notFound((c) =>
    c.json(
      {
        problem: {
          code: "no-such-route",
          message: `There is nothing at ${c.req.method} ${c.req.path}.`,
          hint: "docs/architecture.md lists the API's routes.",
        },
      },
      404,
    ),
  );
  return app
    .route("/", workspaceRoutes(workbench))
    .route("/snapshots", snapshotRoutes(workbench))
    .route("/tables", tableRoutes(workbench))
    .route("/notebooks", notebookRoutes(workbench))
    .route("/compare", compareRoutes(workbench))
    .route("/diff", diffRoutes(workbench))
    .route("/releases", releaseRoutes(workbench))
    .route("/environments", environmentRoutes(workbench))
    .route("/pipelines", pipelineRoutes(workbench))
    .route("/status", statusRoutes(workbench));
}

/** For `hc<Api>`: every route with what it takes and what it answers. */
export type Api = ReturnType<typeof createApi>;
