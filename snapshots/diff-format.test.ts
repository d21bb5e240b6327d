import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { diffFormat } from "./diff-format.ts";
import type { DiffSide } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace } from "./temporary-workspace.ts";

test("docs/diff-format.schema.json is the format's schema", () => {
  const path = join(import.meta.dirname, "../docs/diff-format.schema.json");
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual(
    JSON.parse(JSON.stringify(z.toJSONSchema(diffFormat))),
  );
});

test("what a diff gives keeps to the format, whatever it found", async () => {
  const here = temporaryWorkspace();
  try {
    const side = async (sql: string): Promise<DiffSide> => ({
      kind: "table",
      hash: (await here.table(sql)).hash,
    });
    const rows = (delay: string) =>
      `SELECT range // 2 * (range % 7)::INTEGER AS k, range % 5 AS g, ${delay} AS v, 1 AS ${delay.length > 5 ? "new" : "old"} FROM range(2000)`;
    const [left, right] = [
      await side(rows("range")),
      await side(`${rows("range + (range % 5 = 3)::INTEGER")} WHERE range > 5`),
    ];
    for (const key of [["k"], ["k", "g"], "position", null] as const) {
      const copy = key === null || key === "position" ? key : [...key];
      const pairing = { left, right, key: copy };
      const { causes } = unwrap(await here.queries.diffCauses(pairing));
      for (const more of [{}, { stopAfter: 1 }]) {
        const counted = unwrap(await here.queries.diff({ ...pairing, samples: 5, ...more }));
        const summary = { ...counted, causes };
        const read: unknown = JSON.parse(JSON.stringify(summary));
        expect(diffFormat.parse(read)).toEqual(summary);
      }
    }
  } finally {
    await here.close();
  }
});
