import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { typedColumns } from "../values/identity.ts";
import { indexNames } from "./index-names.ts";
import { planIndex, type IndexWish } from "./index-plan.ts";
import type { Generation, IndexMeta, IndexState } from "./index-state.ts";

const names = unwrap(indexNames("penstock-", "flights"));
const column = (name: string, type: string) => ({ name, type, nullable: true });
const wish = (...columns: ReturnType<typeof column>[]): IndexWish => ({
  owner: "production:flights",
  names,
  key: unwrap(typedColumns([column("id", "BIGINT")])),
  columns: unwrap(typedColumns(columns)),
  routing: undefined,
  expiresAt: undefined,
  replicas: 1,
});

const NOTHING: IndexState = { generations: [], strangers: [], template: undefined };
const TEMPLATE = { meta: { penstock: { format: 1, owner: "production:flights", replicas: 1 } } };
const FILTER = { bool: { must_not: [{ term: { "_penstock.deleted": true } }] } };

const generation = (
  number: number,
  columns: IndexMeta["columns"],
  patch: Partial<Generation> = {},
): Generation => ({
  number,
  index: names.generation(number),
  meta: {
    format: 1,
    owner: "production:flights",
    key: [{ name: "id", type: "BIGINT" }],
    routing: null,
    columns,
  },
  isRead: false,
  readFilter: undefined,
  isWritable: true,
  replicas: 1,
  durability: "request",
  fieldLimit: 1000,
  ...patch,
});
const field = (name: string, type: string) => ({ name, type, field: name });
const asRead = { isRead: true, readFilter: FILTER };

const state = (...generations: Generation[]): IndexState => ({
  generations,
  strangers: [],
  template: TEMPLATE,
});

test("nothing there: a template, and an index read and written through its aliases", () => {
  const { requests, target } = unwrap(planIndex(NOTHING, wish(column("a.b", "DOUBLE"))));
  expect(target).toBe(1);
  expect(requests).toMatchObject([
    { method: "PUT", path: "/_index_template/penstock-flights" },
    {
      method: "PUT",
      path: "/penstock-flights-000001",
      body: {
        aliases: { "penstock-flights": { filter: FILTER }, "penstock-flights-000001-write": {} },
        settings: { index: { "translog.durability": "request" } },
        mappings: {
          dynamic: "strict",
          properties: { "a%2Eb": { type: "double", ignore_malformed: true } },
        },
      },
    },
  ]);
});

const held = state(
  generation(2, [field("x", "VARCHAR")]),
  generation(1, [field("x", "BIGINT")], asRead),
);

test.each([
  ["the newest that holds it", column("x", "VARCHAR"), 2],
  ["an older one, if that alone holds it", column("x", "INTEGER"), 1],
  ["a new one, if none does", column("x", "DOUBLE"), 3],
  ["the newest, for a column none has yet", column("y", "DOUBLE"), 2],
])("a contract goes to %s", (_what, wanted, target) => {
  expect(unwrap(planIndex(held, wish(wanted))).target).toBe(target);
});

test("only what is missing is asked for", () => {
  const there = generation(1, [field("x", "BIGINT")], asRead);
  const plan = (patch: Partial<Generation>, ...columns: ReturnType<typeof column>[]) =>
    unwrap(planIndex(state({ ...there, ...patch }), wish(...columns))).requests;
  const x = column("x", "BIGINT");
  expect(plan({}, x)).toEqual([]);
  expect(plan({}, column("x", "INTEGER"))).toEqual([]);
  expect(plan({}, x, column("y", "DATE"))).toMatchObject([
    {
      path: "/penstock-flights-000001/_mapping",
      body: {
        _meta: { penstock: { columns: [field("x", "BIGINT"), field("y", "DATE")] } },
        properties: { y: { type: "date" } },
      },
    },
  ]);
  expect(plan({ replicas: 0, durability: "async" }, x)).toEqual([
    {
      method: "PUT",
      path: "/penstock-flights-000001/_settings",
      body: { index: { number_of_replicas: 1, "translog.durability": "request" } },
    },
  ]);
  expect(plan({ isRead: false, isWritable: false }, x)).toMatchObject([
    { path: "/_aliases", body: { actions: [{ add: {} }, { add: { filter: FILTER } }] } },
  ]);
});

test("a STRUCT gains fields and loses none", () => {
  const there = generation(1, [field("s", "STRUCT(a INTEGER, b VARCHAR)")], asRead);
  const { requests } = unwrap(
    planIndex(state(there), wish(column("s", "STRUCT(b VARCHAR, c DATE)"))),
  );
  const type = "STRUCT(\"a\" INTEGER, \"b\" VARCHAR, \"c\" DATE)"; // prettier-ignore
  expect(requests).toMatchObject([
    { body: { _meta: { penstock: { columns: [field("s", type)] } } } },
  ]);
});
