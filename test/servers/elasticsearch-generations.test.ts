import { afterEach, beforeEach, expect, test } from "vitest";
import { collect } from "#promote/sync/fixture.ts";
import type { Generations, Sink, SinkContract } from "#promote/sync/ports.ts";
import { unwrap } from "#snapshots/problem.ts";
import { scratchIndex, type ScratchIndex } from "./elasticsearch-scratch.ts";
import { batchOf, type Operation } from "./sink-batches.ts";

const column = (name: string, type: string) => ({ name, type, nullable: true });
const contract = (...columns: ReturnType<typeof column>[]): SinkContract => ({
  key: [{ name: "id", type: "INTEGER", nullable: false }],
  columns: [column("id", "INTEGER"), ...columns],
  maxParts: 2,
});
const OLD = contract(column("code", "INTEGER"));
const NEW = contract(column("code", "VARCHAR"));

let scratch: ScratchIndex;
beforeEach(async () => {
  scratch = await scratchIndex();
});
afterEach(() => scratch.remove());

const row = (id: number, offset: number, code: unknown, epoch = 1024): Operation => ({
  key: [id],
  values: { id, code },
  offset,
  epoch,
});

function generationsOf({ generations }: Sink): Generations {
  if (generations === undefined) throw new Error("a sink without generations");
  return generations;
}

/** What people see. */
async function read(): Promise<Record<string, unknown>> {
  await scratch.refresh();
  const found = await scratch.ask("POST", `/${scratch.read}/_search`, { size: 100 });
  const { hits } = (found as { hits: { hits: { _source: { id: number; code: unknown } }[] } }).hits; // Elasticsearch's own shape
  return Object.fromEntries(hits.map(({ _source }) => [_source.id, _source.code]));
}

test("a column of another type goes to a new index while people read the old one, until they are turned; each step says what it means for them", async () => {
  const sink = await scratch.open();
  const generations = generationsOf(sink);
  const [first, second] = ["000001", "000002"].map((number) => `${scratch.read}-${number}`);
  expect(unwrap(await generations.foretell(OLD))).toEqual([]);
  await sink.prepare(OLD);
  await sink.write(batchOf(OLD, [row(1, 0, 10), row(2, 1, 20)]));
  expect(unwrap(await generations.foretell(OLD))).toEqual([]);
  // The next release.
  expect(unwrap(await generations.foretell(NEW))).toEqual([
    expect.stringMatching(
      `a new index, ${second}\\. People go on reading ${first}, which receives nothing .*penstock backfill staging:delays`,
    ),
  ]);
  const plan = unwrap(await sink.plan(NEW));
  expect(plan).toEqual([expect.stringMatching(/^PUT \/test-.*-flights-000002 \{/)]);
  expect(await sink.readersBehind?.()).toBeUndefined();
  expect(await sink.prepare(NEW)).toBeUndefined();
  expect(unwrap(await sink.plan(NEW))).toEqual([]);
  await sink.write(batchOf(NEW, [row(1, 5, "ten", 1025)]));
  expect(await read()).toEqual({ 1: 10, 2: 20 });
  expect(await sink.readersBehind?.()).toMatch(
    `People read ${first}, which receives nothing any more: ${second} is`,
  );
  // Back before the backfill: what people read is written again, and lacks what the new release wrote.
  expect(unwrap(await generations.foretell(OLD))).toEqual([
    expect.stringMatching(
      `${first} again, which people read. What was written to ${second} alone is not there until`,
    ),
  ]);
  // A worker still at the release before, and a record delivered again: their rows go where they went.
  const late = await scratch.open();
  await late.prepare(OLD);
  await late.write(batchOf(OLD, [row(3, 2, 30)]));
  expect(await late.readersBehind?.()).toBeUndefined();
  await late.close();
  expect(await read()).toEqual({ 1: 10, 2: 20, 3: 30 });
  // The backfill, then the turn.
  await sink.write(batchOf(NEW, [row(1, 0, "stale", 1025), row(2, 1, "twenty", 1025)]));
  await scratch.refresh();
  expect(unwrap(await generations.list(NEW))).toEqual([
    { generation: 2, index: second, rows: 2, isRead: false, isWritten: true },
    { generation: 1, index: first, rows: 3, isRead: true, isWritten: false },
  ]);
  expect(await generations.drop(1, NEW)).toMatchObject({ problem: { code: "generation-read" } });
  expect(await generations.drop(2, NEW)).toMatchObject({ problem: { code: "generation-written" } });
  expect(await generations.drop(7, NEW)).toMatchObject({
    problem: { code: "generation-unknown", hint: "It has: 2, 1." },
  });
  expect(await sink.turnReaders?.()).toBeUndefined();
  expect(await read()).toEqual({ 1: "ten", 2: "twenty" });
  expect(await sink.readersBehind?.()).toBeUndefined();
  expect(unwrap(await generations.foretell(NEW))).toEqual([]);
  // Back after the turn: people would read what receives nothing.
  expect(unwrap(await generations.foretell(OLD))).toEqual([
    expect.stringMatching(
      `to ${first}, which lacks what was written to ${second} alone\\. People go on reading ${second}, .*penstock generations staging:delays --read 1`,
    ),
  ]);
  expect(await generations.drop(1, OLD)).toMatchObject({ problem: { code: "generation-written" } });
  unwrap(await generations.drop(1, NEW));
  expect(await sink.count()).toBe(2);
  expect(unwrap(await sink.plan(NEW))).toEqual([]);
  // Its index is gone: an old release that comes back gets a new one.
  expect(unwrap(await generations.foretell(OLD))).toEqual([
    expect.stringMatching(`a new index, ${scratch.read}-000003`),
  ]);
  await sink.close();
});

test("readers find every row at every moment of a turn", async () => {
  const sink = await scratch.open();
  const operations = (code: unknown) => Array.from({ length: 50 }, (_, id) => row(id, id, code));
  await sink.prepare(OLD);
  await sink.write(batchOf(OLD, operations(1)));
  await sink.prepare(NEW);
  await sink.write(batchOf(NEW, operations("one")));
  await scratch.refresh();
  const switching = new AbortController();
  const counts = new Set<string>();
  const reading = (async () => {
    while (!switching.signal.aborted)
      counts.add(JSON.stringify(await scratch.ask("GET", `/${scratch.read}/_count`)));
  })();
  for (const generation of [2, 1, 2, 1, 2]) unwrap(await generationsOf(sink).read(generation));
  switching.abort();
  await reading;
  expect([...counts]).toEqual([expect.stringMatching(/^\{"count":50,/)]);
  await sink.close();
});

test("many workers preparing at once make one index", async () => {
  const sinks = await Promise.all([1, 2, 3, 4].map(() => scratch.open()));
  const problems = await Promise.all(sinks.map((sink) => sink.prepare(OLD)));
  expect(problems).toEqual([undefined, undefined, undefined, undefined]);
  const lister = await scratch.open();
  expect(unwrap(await generationsOf(lister).list(OLD))).toHaveLength(1);
  await Promise.all([lister, ...sinks].map((sink) => sink.close()));
});

test.each([
  ["INTEGER", "BIGINT"],
  ["TIMESTAMP_S", "TIMESTAMP"],
  ["STRUCT(a INTEGER)", "STRUCT(a BIGINT, b VARCHAR)"],
  ["STRUCT(a INTEGER)[]", "STRUCT(b DOUBLE)[]"],
])("%s to %s stays in its index", async (before, after) => {
  const sink = await scratch.open();
  await sink.prepare(contract(column("x", before)));
  expect(await sink.prepare(contract(column("x", after)))).toBeUndefined();
  expect(unwrap(await sink.plan(contract(column("x", before))))).toEqual([]);
  expect(unwrap(await generationsOf(sink).list(OLD))).toHaveLength(1);
  await sink.close();
});

test.each([
  ["VARCHAR", "BIGINT"],
  ["DECIMAL(9,2)", "DECIMAL(9,3)"],
  ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"],
  ["INTEGER", "INTEGER[]"],
  ["STRUCT(a INTEGER)", "STRUCT(a DOUBLE)"],
  ["STRUCT(a INTEGER)", 'STRUCT(a INTEGER, "b.c" INTEGER)'],
])("%s to %s begins a new one", async (before, after) => {
  const sink = await scratch.open();
  await sink.prepare(contract(column("x", before)));
  expect(await sink.prepare(contract(column("x", after)))).toBeUndefined();
  expect(unwrap(await generationsOf(sink).list(OLD))).toHaveLength(2);
  await sink.close();
});

test("an index template of the sink's name that Penstock did not make is refused, and stays as it was", async () => {
  const template = { index_patterns: [`${scratch.read}-old-*`], priority: 700 };
  const path = `/_index_template/${scratch.read}`;
  await scratch.ask("PUT", path, template);
  const sink = await scratch.open();
  expect(await sink.prepare(OLD)).toMatchObject({
    code: "elasticsearch-name-taken",
    message: expect.stringContaining(`index template ${scratch.read}`),
  });
  expect(await scratch.ask("GET", path)).toMatchObject({
    index_templates: [{ index_template: template }],
  });
  await scratch.ask("DELETE", path);
  expect(await sink.prepare(OLD)).toBeUndefined();
  await sink.close();
});

test("replicas that Elasticsearch counts by itself, as a component template of one's own may say, are left to it", async () => {
  await scratch.ask("PUT", `/_component_template/${scratch.read}@custom`, {
    template: { settings: { auto_expand_replicas: "0-1" } },
  });
  const sink = await scratch.open({ connection: { ...scratch.options.connection, replicas: 1 } });
  expect(await sink.prepare(OLD)).toBeUndefined();
  expect(unwrap(await sink.plan(OLD))).toEqual([]);
  await sink.close();
});

test("another identity, another owner, or an index Penstock did not make are refused", async () => {
  const sink = await scratch.open();
  await sink.prepare(OLD);
  const rekeyed = { ...OLD, key: [{ name: "code", type: "INTEGER", nullable: false }] };
  expect(await sink.prepare(rekeyed)).toMatchObject({ code: "sink-key-changed" });
  const other = await scratch.open({ owner: "production:delays" });
  expect(await other.prepare(OLD)).toMatchObject({ code: "elasticsearch-owner" });
  const name = `${scratch.options.connection.prefix}taken`;
  await scratch.ask("PUT", `/${name}`);
  const taken = await scratch.open({ index: "taken" });
  expect(await taken.prepare(OLD)).toMatchObject({ code: "elasticsearch-name-taken" });
  for (const one of [sink, other, taken]) await one.close();
});

test("one index name within another is told apart", async () => {
  const flights = await scratch.open();
  const delays = await scratch.open({ index: "flights-delays", owner: "other" });
  expect(await flights.prepare(OLD)).toBeUndefined();
  expect(await delays.prepare(OLD)).toBeUndefined();
  await delays.write(batchOf(OLD, [row(1, 0, 1)]));
  expect(await flights.prepare(OLD)).toBeUndefined();
  expect([await flights.count(), await delays.count()]).toEqual([0, 1]);
  for (const one of [flights, delays]) await one.close();
});

test("columns of hostile names are kept apart and read back by their names", async () => {
  const names = [
    "a.b",
    "a",
    "A",
    "",
    "  ",
    "_id",
    "_penstock",
    "__proto__",
    "*",
    "%",
    "x".repeat(600),
  ];
  const hostile = contract(...names.map((name) => column(name, "INTEGER")));
  const sink = await scratch.open();
  expect(await sink.prepare(hostile)).toBeUndefined();
  const values = Object.fromEntries(names.map((name, i) => [name, i]));
  await sink.write(batchOf(hostile, [{ key: [1], values: { ...values, id: 1 }, offset: 0 }]));
  const [stored] = await collect(sink.scan());
  for (const [i, name] of names.entries())
    expect(Object.entries(stored?.values ?? {})).toContainEqual([name, i]);
  await sink.close();
});

test("a wide contract has its field limit raised", async () => {
  const wide = contract(...Array.from({ length: 900 }, (_, i) => column(`text ${i}`, "VARCHAR")));
  const sink = await scratch.open();
  await sink.prepare(OLD);
  expect(await sink.prepare(wide)).toBeUndefined();
  await sink.close();
});

test("an older write stays out after a delete, whatever Elasticsearch forgets of deletes", async () => {
  const sink = await scratch.open();
  await sink.prepare(OLD);
  await sink.write(batchOf(OLD, [row(1, 5, 1), row(2, 5, 2)]));
  await sink.write(batchOf(OLD, [{ key: [1], values: null, offset: 9 }]));
  const index = `${scratch.read}-000001`;
  await scratch.ask("PUT", `/${index}/_settings`, { "index.gc_deletes": "0s" });
  await scratch.ask("POST", `/${index}/_flush?force=true`);
  await scratch.ask("POST", `/${index}/_forcemerge?max_num_segments=1`);
  await scratch.ask("POST", `/${index}/_close`);
  await scratch.ask("POST", `/${index}/_open?wait_for_active_shards=1`);
  expect(await sink.write(batchOf(OLD, [row(1, 7, 7)]))).toEqual([{ kind: "stale" }]);
  expect(await read()).toEqual({ 2: 2 });
  await sink.close();
});

test("rows whose moment has passed are hidden from readers, not from verify", async () => {
  const timed = contract(column("until", "TIMESTAMP"));
  const sink = await scratch.open({ expiresAt: "until" });
  expect(await sink.prepare(timed)).toBeUndefined();
  const moments = ["2001-01-01T00:00:00", "2901-01-01T00:00:00", null];
  const operations = moments.map((until, id) => ({ key: [id], values: { id, until }, offset: id }));
  await sink.write(batchOf(timed, operations));
  expect(await sink.count()).toBe(2);
  expect(await collect(sink.scan())).toHaveLength(3);
  await sink.close();
  // Without it the filter goes, too.
  const plain = await scratch.open();
  expect(unwrap(await plain.plan(timed))).toEqual([expect.stringContaining("POST /_aliases")]);
  expect(await plain.prepare(timed)).toBeUndefined();
  expect(await plain.count()).toBe(3);
  await plain.close();
  const wrong = await scratch.open({ expiresAt: "id" });
  expect(await wrong.prepare(timed)).toMatchObject({ code: "elasticsearch-expires-at" });
  await wrong.close();
});

test("rows are routed by a column of the key, and by nothing else", async () => {
  const sink = await scratch.open({ routing: "id" });
  expect(await sink.prepare(OLD)).toBeUndefined();
  await sink.write(batchOf(OLD, [row(7, 0, 1)]));
  const found = await scratch.ask("GET", `/${scratch.read}-000001/_doc/7?routing=7`);
  expect(found).toMatchObject({ found: true, _routing: "7" });
  await sink.close();
  const wrong = await scratch.open({ routing: "code" });
  expect(await wrong.prepare(OLD)).toMatchObject({ code: "elasticsearch-routing" });
  await wrong.close();
});

test("what it cannot connect with is said when it is asked to prepare", async () => {
  const { connection } = scratch.options;
  const locked = { ...connection, username: "elastic", password: { env: "NOT_SET" } };
  const sink = await scratch.open({ connection: locked });
  expect(await sink.prepare(OLD)).toMatchObject({ code: "secret-missing" });
  await sink.close();
  const away = await scratch.open({ connection: { ...connection, nodes: ["http://127.0.0.1:9"] } });
  expect(await away.prepare(OLD)).toMatchObject({ code: "elasticsearch-unreachable" });
  await away.close();
});
