import { describe, expect, test } from "vitest";
import { compileModules } from "#kernel/compile.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { checkOrder, replayOrder, replays } from "./order-independence.ts";

const columns: Column[] = [
  { name: "id", type: "BIGINT", nullable: false },
  { name: "delay", type: "BIGINT", nullable: true },
];
const sample = Array.from({ length: 300 }, (_, id) => ({
  id,
  delay: id % 7 === 0 ? null : id % 50,
}));

async function check(body: string) {
  const notebook = `import { snapshot, transform } from "penstock";
let state = 0;
export const t = transform(snapshot("x@1"), (row) => { ${body} });
`;
  const entry = `import { t } from "penstock-memory:notebook";
export const slice = { transforms: { t }, metrics: [] };
`;
  const modules = { entry, notebook };
  const compiled = unwrap(await compileModules({ root: "/", fileName: "/x.ts", modules }));
  return checkOrder(
    { bundle: compiled.code, transform: "t", input: columns, output: columns, lookups: {} },
    sample,
  );
}

describe("checkOrder", () => {
  test("a pure transform becomes the same in every order", async () => {
    const checked = unwrap(
      await check("if (row.delay === null) return null; return { ...row, delay: row.delay + 1 };"),
    );
    expect(checked).toEqual({ rows: 300, replays: replays.length, difference: undefined });
  });

  test("one that counts its records gives itself away, with the row it happened at", async () => {
    const checked = unwrap(await check("state += 1; return { ...row, delay: state };"));
    expect(checked.difference).toMatchObject({
      replay: replays[1].name,
      input: { id: expect.anything() },
    });
    expect(checked.difference?.actual).not.toEqual(checked.difference?.expected);
  });

  test("one that filters what it has seen before gives itself away", async () => {
    const body = "if (row.id < state) return null; state = row.id; return row;";
    expect(unwrap(await check(body)).difference).toBeDefined();
  });
});

test("a replay feeds every row, and the same rows every time", () => {
  for (const replay of replays) {
    const order = replayOrder(100, replay);
    expect(order).toEqual(replayOrder(100, replay));
    expect(new Set(order).size).toBe(100);
    expect(order.length).toBe(100 + replay.repeats);
  }
});
