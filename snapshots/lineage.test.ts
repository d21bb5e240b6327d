import { expect, test } from "vitest";
import { arrowToRows, rowsToArrow } from "./arrow.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace } from "./temporary-workspace.ts";

test("a query of ours keeps the lineage of the rows it keeps, and it can be read beside them", async () => {
  const here = temporaryWorkspace();
  const { queries } = here;
  try {
    const columns = [{ name: "n", type: "BIGINT", nullable: false }];
    async function* batches() {
      yield {
        rows: rowsToArrow(columns, [{ n: 1n }, { n: 2n }, { n: 3n }]),
        position: BigInt64Array.of(4n, 4n, 9n),
        part: Int32Array.of(0, 1, 0),
      };
    }
    const { hash } = unwrap(await queries.write({ columns, batches: batches() }));
    const from = "FROM t POSITIONAL JOIN l WHERE n > 1";
    const made = unwrap(
      await queries.sql({
        sql: `SELECT t.* ${from}`,
        inputs: { t: hash },
        lineage: { inputs: { l: hash }, sql: `SELECT l.position, l.part ${from}` },
      }),
    );
    expect(made).toMatchObject({ rows: 2, hasLineage: true });
    const lineage: unknown[] = [];
    for await (const ipc of queries.readLineage({ table: made.hash }))
      lineage.push(...arrowToRows(ipc));
    expect(lineage).toEqual([
      { position: 4, part: 1 },
      { position: 9, part: 0 },
    ]);
  } finally {
    await here.close();
  }
});
