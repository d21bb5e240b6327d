import { afterAll, describe, expect, test } from "vitest";
import { arrowToRows, rowsToArrow } from "#snapshots/arrow.ts";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { temporaryWorkspace } from "#snapshots/temporary-workspace.ts";
import { evaluate } from "./evaluate.ts";
import type { TableExpression } from "./guest/slice.ts";

const count = 2000;
const lines = Array.from(
  { length: count },
  (_, id) => `${id},${id % 40 === 39 ? "" : `o${id % 40}`},2001-0${1 + (id % 3)}-15`,
);
const home = temporaryWorkspace({
  "sources/flights.yaml": "format: csv\npath: data/flights.csv\nidentity: [id]\n",
  "data/flights.csv": `id,origin,date\n${lines.join("\n")}\n`,
});
const { workspace, store, queries } = home;
await freeze({ workspace, store, queries, source: "flights", label: "t", now: () => new Date(0) });
afterAll(() => home.close());

const flights: TableExpression = { kind: "snapshot", name: "flights@t" };
type How = Extract<TableExpression, { kind: "split" }>["how"];

type Given = Record<string, { table: string; input: TableExpression }>;

async function tableOf(expression: TableExpression, given: Given = {}) {
  return unwrap(await evaluate(home, expression, undefined, { given })).table;
}

async function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  const { ipc } = unwrap(await queries.window({ table, offset: 0, limit: count }));
  return arrowToRows(ipc);
}

async function parts(how: How, input: TableExpression = flights, given: Given = {}) {
  const [train, test] = await Promise.all(
    (["train", "test"] as const).map(async (part) => {
      const { hash } = await tableOf({ kind: "split", input, part, how }, given);
      return rowsOf(hash);
    }),
  );
  return { train: train ?? [], test: test ?? [] };
}

const ids = (rows: Record<string, unknown>[]) => rows.map(({ id }) => Number(id));

const hows: [How, number, number][] = [
  [{ by: "random", share: 0.2, seed: 1 }, 0.17, 0.23],
  [{ by: "random", share: 0.75, seed: 2 }, 0.71, 0.79],
  [{ by: "key", columns: ["origin"], share: 0.3, seed: 1 }, 0.1, 0.5],
  [{ by: "time", column: "date", from: "2001-03-01" }, 0.33, 0.34],
];

test.each(hows)("%j: every row is in one part, in its order", async (how, least, most) => {
  const { train, test } = await parts(how);
  expect([...ids(train), ...ids(test)].toSorted((a, b) => a - b)).toEqual([...lines.keys()]);
  expect(ids(train)).toEqual(ids(train).toSorted((a, b) => a - b));
  expect(test.length / count).toBeGreaterThan(least);
  expect(test.length / count).toBeLessThan(most);
});

test("by key: no value is in both parts, NULL neither", async () => {
  const { train, test } = await parts({ by: "key", columns: ["origin"], share: 0.5, seed: 3 });
  const origins = new Set(train.map(({ origin }) => origin));
  expect(test.filter(({ origin }) => origins.has(origin))).toEqual([]);
});

test("by time: the test part begins then", async () => {
  const { train, test } = await parts({ by: "time", column: "date", from: "2001-03-01" });
  const months = (rows: Record<string, unknown>[]) =>
    new Set(rows.map(({ date }) => (date instanceof Date ? date.getUTCMonth() + 1 : 0)));
  expect([months(train), months(test)]).toEqual([new Set([1, 2]), new Set([3])]);
});

test("another seed is another split, the same seed the same", async () => {
  const of = async (seed: number) => ids((await parts({ by: "random", share: 0.2, seed })).test);
  expect(await of(5)).toEqual(await of(5));
  expect(await of(5)).not.toEqual(await of(6));
});

describe("a part that is split once more", () => {
  const how: How = { by: "random", share: 0.2, seed: 0 };
  const byOrigin: How = { by: "key", columns: ["origin"], share: 0.4, seed: 0 };
  const trainOf = (how: How, input: TableExpression = flights): TableExpression => ({
    kind: "split",
    input,
    part: "train",
    how,
  });
  const query: TableExpression = {
    kind: "sql",
    strings: ["select * from ", ""],
    values: [trainOf(byOrigin)],
  };
  const made: TableExpression = { kind: "transform", name: "made" };

  const nested: [what: string, input: TableExpression, how: How, share: number][] = [
    ["at random", trainOf(how), how, 0.2],
    ["a third time", trainOf(how, trainOf(how)), how, 0.2],
    ["with a split by time between", trainOf(hows[3]?.[0] ?? how, trainOf(how)), how, 0.2],
    ["by key", trainOf(byOrigin), byOrigin, 0.4],
    ["by key, of a query over it", query, byOrigin, 0.4],
    ["of what a transform made of it", made, how, 0.2],
  ];
  test.each(nested)("%s: the share is that of the part", async (_, input, how, share) => {
    const { hash } = await tableOf(input === made ? trainOf(how) : input);
    const given = { made: { table: hash, input: trainOf(how) } };
    const { train, test } = await parts(how, input, given);
    const all = await rowsOf(hash);
    expect(ids([...train, ...test]).toSorted((a, b) => a - b)).toEqual(
      ids(all).toSorted((a, b) => a - b),
    );
    const found = test.length / all.length;
    expect(found).toBeGreaterThan(share - (how.by === "key" ? 0.25 : 0.04));
    expect(found).toBeLessThan(share + (how.by === "key" ? 0.25 : 0.04));
  });

  test("a split by time draws nothing: what is in the test part at random stays there", async () => {
    const byTime: How = { by: "time", column: "date", from: "2001-03-01" };
    const whole = new Set(ids((await parts(how)).test));
    const { train, test } = await parts(how, trainOf(byTime));
    expect(ids(test).every((id) => whole.has(id))).toBe(true);
    expect(ids(train).some((id) => whole.has(id))).toBe(false);
  });
});

describe("of what a transform made", () => {
  test("the same records are in the same parts, whatever their order and place", async () => {
    const how: How = { by: "random", share: 0.2, seed: 1 };
    const shuffled = unwrap(
      await queries.sql({
        sql: "select id, origin from f where id % 2 = 0 order by origin desc, id desc",
        inputs: { f: (await tableOf(flights)).hash },
      }),
    );
    // Known by their identity, since the expression leads back to the snapshot that declares one.
    const sorted = await parts(
      { by: "random", share: 0.2, seed: 1 },
      { kind: "transform", name: "f" },
      { f: { table: shuffled.hash, input: flights } },
    );
    const whole = await parts(how);
    expect(ids(sorted.test).toSorted((a, b) => a - b)).toEqual(
      ids(whole.test).filter((id) => id % 2 === 0),
    );
  });

  test("without identity, the position each row was made from decides; lineage is kept", async () => {
    const columns = [{ name: "n", type: "BIGINT", nullable: false }];
    const made = async (rows: [position: number, n: number][]) => {
      async function* batches() {
        yield {
          rows: rowsToArrow(
            columns,
            rows.map(([, n]) => ({ n: BigInt(n) })),
          ),
          position: BigInt64Array.from(rows, ([position]) => BigInt(position)),
        };
      }
      return unwrap(await queries.write({ columns, batches: batches() })).hash;
    };
    const all = Array.from({ length: 400 }, (_, at): [number, number] => [at, at * 10]);
    const input: TableExpression = { kind: "transform", name: "made" };
    const sql: TableExpression = { kind: "sql", strings: ["select 1"], values: [] };
    const how: How = { by: "random", share: 0.5, seed: 1 };
    const split: TableExpression = { kind: "split", input, part: "test", how };
    const whole = await tableOf(split, { made: { table: await made(all), input: sql } });
    const half = await tableOf(split, {
      made: { table: await made(all.filter(([at]) => at % 2 === 0)), input: sql },
    });
    const positions = async (table: string) => {
      const found: number[] = [];
      for await (const ipc of queries.readLineage({ table }))
        found.push(...arrowToRows(ipc).map(({ position }) => Number(position)));
      return found;
    };
    const of = await positions(whole.hash);
    expect((await rowsOf(whole.hash)).map(({ n }) => Number(n))).toEqual(of.map((at) => at * 10));
    expect(await positions(half.hash)).toEqual(of.filter((at) => at % 2 === 0));
  });
});

test("a column that is not there is named, with those that are", async () => {
  const how: How = { by: "key", columns: ["orgin"], share: 0.5, seed: 1 };
  expect(await evaluate(home, { kind: "split", input: flights, part: "test", how })).toMatchObject({
    ok: false,
    problem: { code: "no-such-column", hint: expect.stringMatching(/origin/) },
  });
});
