import { Hono } from "hono";
import { z } from "zod";
import type { CompareProgress } from "#promote/compare.ts";
import { storedSide, type StoredSide } from "#promote/diff-side.ts";
import type { Workbench } from "#promote/workbench.ts";
import { ok } from "#snapshots/problem.ts";
import { body } from "./door.ts";
import { streamWork } from "./long-work.ts";

const sidesBody = z.strictObject({
  sides: z
    .array(
      z.strictObject({
        text: z.string().min(1).max(4_000),
        path: z.string().max(8_000),
        isFile: z.boolean(),
      }),
    )
    .min(1)
    .max(2),
});

/** `POST /diff/sides`: what texts mean as sides of a diff, run where they have to be; null for one that is nothing but a file. Reads no file. */
export function diffRoutes(workbench: Workbench) {
  return new Hono().post("/sides", body(sidesBody), (c) => {
    const { sides } = c.req.valid("json");
    return streamWork(c.req.raw, async (signal, onProgress: (p: CompareProgress) => void) => {
      const found: (StoredSide | null)[] = [];
      for (const side of sides) {
        const stored = await storedSide({ workbench, signal, onProgress }, side);
        if (!stored.ok) return stored;
        found.push(stored.value);
      }
      return ok(found);
    });
  });
}
