import { Hono } from "hono";
import { z } from "zod";
import { approve } from "#promote/approval.ts";
import type { CompareProgress } from "#promote/compare.ts";
import { listReleases, readRelease } from "#promote/release-files.ts";
import { buildRelease } from "#promote/release.ts";
import type { Workbench } from "#promote/workbench.ts";
import { ok, unwrap } from "#snapshots/problem.ts";
import { body, name, path, releaseHash } from "./door.ts";
import { streamWork } from "./long-work.ts";
import { notebookName } from "./notebook-files.ts";
import { factsOf, releaseDetail } from "./release-detail.ts";

const buildBody = z.strictObject({
  notebook: notebookName,
  transform: name,
  message: z.string().max(10_000).default(""),
});

const approvalBody = z.strictObject({
  /** Ids of the findings the approver has judged; a release with an unnamed finding is not approved. */
  findings: z.array(z.string().max(200)).max(200).default([]),
  reason: z.string().trim().min(1, "is empty").max(10_000),
});

const releaseParams = z.object({ transform: name, hash: releaseHash });

/** Candidates for production: `POST` builds one with its evidence (a stream); each is read and approved by its hash. */
export function releaseRoutes(workbench: Workbench) {
  return new Hono()
    .get("/", async (c) => c.json({ releases: await listReleases(workbench) }))
    .post("/", body(buildBody), (c) => {
      const request = c.req.valid("json");
      return streamWork(c.req.raw, async (signal, onProgress: (p: CompareProgress) => void) => {
        const built = await buildRelease({ workbench, ...request, signal, onProgress });
        return built.ok ? ok(factsOf(built.value)) : built;
      });
    })
    .get("/:transform/:hash", path(releaseParams), async (c) => {
      const { transform, hash } = c.req.valid("param");
      return c.json(unwrap(await releaseDetail(workbench, transform, hash, c.req.raw.signal)));
    })
    .post("/:transform/:hash/approvals", path(releaseParams), body(approvalBody), async (c) => {
      const { transform, hash } = c.req.valid("param");
      const release = unwrap(readRelease(workbench, transform, hash));
      const approval = unwrap(
        await approve({ workbench, release, by: workbench.person, ...c.req.valid("json") }),
      );
      // A promotion may have waited for this.
      await workbench.reconcile();
      return c.json({ approval }, 201);
    });
}
