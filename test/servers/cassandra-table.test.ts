import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { collect } from "#promote/sync/fixture.ts";
import { WRITE, type SinkContract } from "#promote/sync/ports.ts";
import { versionOf } from "#promote/sync/order/version.ts";
import { scratchKeyspace, scratchTable, type ScratchKeyspace } from "./cassandra-scratch.ts";
import { batchOf } from "./sink-batches.ts";

let scratch: ScratchKeyspace;
beforeAll(async () => {
  scratch = await scratchKeyspace();
});
afterAll(() => scratch.remove());

const ID: Column = { name: "id", type: "BIGINT", nullable: false };

function contractOf(columns: Column[], key = [ID]): SinkContract {
  return { key, columns, maxParts: 1 };
}

function column(name: string, type = "BIGINT"): Column {
  return { name, type, nullable: true };
}

describe("names", () => {
  test.each([
    ["the identity's own name with another value", ["id"]],
    ["names that differ in case", ["Delay", "delay", "DELAY"]],
    ["reserved words", ["select", "primary", "from", "token", "order"]],
    ["quotes, points, spaces, semicolons", ['a"b', "a.b", " a b ", "a;b", "'", "--"]],
    ["letters of any script, composed or not", ["Größe", "日本語", "🛩", "e\u0301", "é"]],
    ["what no table allows", ["", "new\nline", "tab\t", "nul\u0000", "__proto__", "constructor"]],
    ["long ones that begin alike", ["x".repeat(300), `${"x".repeat(300)}y`, "x".repeat(70_000)]],
    [
      "those of the system's columns, and what would be made of others",
      ["penstock_part", "penstock_source", "penstock_version", "id_2", "id", "id_2_2", "part"],
    ],
    ["what stands beside a timestamp", ["at_us", "at"]],
    ["what stands beside a timestamp, after it", ["at", "at_us", "at_2", "at_2_us"]],
  ])("%s", async (_, names) => {
    const typed = names.map((name) => column(name, name === "at" ? "TIMESTAMP" : "BIGINT"));
    const contract = contractOf(typed);
    const sink = await scratch.open();
    expect(await sink.prepare(contract)).toBeUndefined();
    const values = Object.fromEntries(
      names.map((name, i) => [name, name === "at" ? "2001-03-14T15:09:26.535897" : 100 + i]),
    );
    const outcomes = await sink.write(batchOf(contract, [{ key: [1], values, offset: 0 }]));
    expect(outcomes).toEqual([{ kind: "written", retracted: false }]);
    const [row] = await collect(sink.scan());
    expect(row?.key).toEqual([1]);
    expect(Object.entries(row?.values ?? {})).toEqual(Object.entries(values));
    await sink.close();
  });

  test("a plain name is the column's own, so that people find it", async () => {
    const table = scratchTable();
    const contract = contractOf([ID, column("delay"), column("Origin", "VARCHAR")]);
    const sink = await scratch.open({ table });
    expect(await sink.prepare(contract)).toBeUndefined();
    const values = { id: 1, delay: 5, Origin: "DEN" };
    await sink.write(batchOf(contract, [{ key: [1], values, offset: 0 }]));
    const rows = await scratch.ask(
      `select id, delay, "Origin" from $keyspace.${table} where id = 1`,
    );
    expect(rows.map((row) => [String(row["id"]), String(row["delay"]), row["Origin"]])).toEqual([
      ["1", "5", "DEN"],
    ]);
    await sink.close();
  });

  test("a pipeline's name becomes a table's", async () => {
    const sink = await scratch.open({ table: "Flight delays-2" });
    expect(await sink.prepare(contractOf([ID]))).toBeUndefined();
    expect(await scratch.ask('select * from $keyspace."Flight_delays_2"')).toEqual([]);
    await sink.close();
  });
});

describe("where a row came from", () => {
  test("is one cell, written at the row's version", async () => {
    const table = scratchTable();
    const contract = contractOf([column("delay")]);
    const sink = await scratch.open({ table });
    expect(await sink.prepare(contract)).toBeUndefined();
    const offset = 2 ** 40 + 7;
    await sink.write(batchOf(contract, [{ key: [1], values: { delay: 5 }, offset }]));
    const [row] = await scratch.ask(
      `select penstock_source, writetime(penstock_source) as version from $keyspace.${table}`,
    );
    expect(String(row?.["penstock_source"])).toBe(`(flights,3,${offset})`);
    expect(String(row?.["version"])).toBe(String(versionOf(1024, offset, WRITE)));
    await sink.close();
  });

  test("a table made without that column gets it by plan", async () => {
    const table = scratchTable();
    const contract = contractOf([column("delay")]);
    const sink = await scratch.open({ table });
    expect(await sink.prepare(contract)).toBeUndefined();
    await scratch.ask(`alter table $keyspace.${table} drop penstock_source`);
    const plan = await sink.plan(contract);
    expect(plan.ok && plan.value).toEqual([
      expect.stringMatching(/add "penstock_source" frozen<tuple<text, int, bigint>>$/),
    ]);
    expect(await sink.prepare(contract)).toBeUndefined();
    expect(await sink.plan(contract)).toEqual({ ok: true, value: [] });
    await sink.close();
  });
});

describe("contracts", () => {
  test("several identity columns form the partition key together", async () => {
    const table = scratchTable();
    const sink = await scratch.open({ table });
    const key = [column("carrier", "VARCHAR"), column("flight"), column("day", "DATE")];
    expect(await sink.prepare(contractOf([column("delay")], key))).toBeUndefined();
    const found = await scratch.ask(
      `select column_name, kind from system_schema.columns where keyspace_name = '$keyspace' and table_name = '${table}'`,
    );
    const named = (kind: string) =>
      found.filter((row) => row["kind"] === kind).map((row) => row["column_name"]);
    expect(named("partition_key")).toEqual(["carrier", "day", "flight"]);
    expect(named("clustering")).toEqual(["penstock_part"]);
    await sink.close();
  });

  test("a column of a new type gets a place of its own; the old values stay", async () => {
    const table = scratchTable();
    const sink = await scratch.open({ table });
    const before = contractOf([column("delay", "INTEGER")]);
    expect(await sink.prepare(before)).toBeUndefined();
    await sink.write(batchOf(before, [{ key: [1], values: { delay: 5 }, offset: 0 }]));
    const after = contractOf([column("delay", "DOUBLE")]);
    const plan = await sink.plan(after);
    expect(plan).toMatchObject({ ok: true });
    expect(plan.ok ? plan.value.filter((each) => each.startsWith("alter")) : []).toEqual([
      expect.stringMatching(/add "delay_2" double$/),
    ]);
    expect(await sink.prepare(after)).toBeUndefined();
    await sink.write(batchOf(after, [{ key: [2], values: { delay: 2.5 }, offset: 1 }]));
    const rows = await scratch.ask(`select id, delay, delay_2 from $keyspace.${table}`);
    const sorted = rows.map((row) => [Number(row["id"]), row["delay"], row["delay_2"]]);
    expect(sorted.toSorted(([a], [b]) => Number(a) - Number(b))).toEqual([
      [1, 5, null],
      [2, null, 2.5],
    ]);
    await sink.close();
  });

  test("an enum that grew, and its way to VARCHAR, stay in one place", async () => {
    const sink = await scratch.open();
    expect(await sink.prepare(contractOf([column("s", "ENUM('a')")]))).toBeUndefined();
    for (const type of ["ENUM('a', 'it''s, (b)')", "VARCHAR"])
      expect(await sink.plan(contractOf([column("s", type)]))).toEqual({ ok: true, value: [] });
    await sink.close();
  });

  test("a value of a release before last does not come back with its column", async () => {
    const sink = await scratch.open();
    const withDelay = contractOf([column("delay"), column("note", "VARCHAR")]);
    const without = contractOf([column("note", "VARCHAR")]);
    expect(await sink.prepare(withDelay)).toBeUndefined();
    const values = { delay: 5, note: "a" };
    await sink.write(batchOf(withDelay, [{ key: [1], values, offset: 0 }]));
    expect(await sink.prepare(without)).toBeUndefined();
    await sink.write(batchOf(without, [{ key: [1], values: { note: "b" }, offset: 1 }]));
    expect(await sink.prepare(withDelay)).toBeUndefined();
    const rows = await collect(sink.scan());
    expect(rows.map((row) => row.values)).toEqual([{ delay: null, note: "b" }]);
    await sink.close();
  });

  test("a column that another worker's release added is taken away by the release before, prepared again", async () => {
    const table = scratchTable();
    const [sink, other] = [await scratch.open({ table }), await scratch.open({ table })];
    const before = contractOf([column("note", "VARCHAR")]);
    const after = contractOf([column("note", "VARCHAR"), column("delay")]);
    expect(await sink.prepare(before)).toBeUndefined();
    expect(await other.prepare(after)).toBeUndefined();
    await other.write(batchOf(after, [{ key: [1], values: { note: "a", delay: 5 }, offset: 0 }]));
    expect(await sink.prepare(before)).toBeUndefined();
    await sink.write(batchOf(before, [{ key: [1], values: { note: "b" }, offset: 1 }]));
    const rows = await collect(other.scan());
    expect(rows.map((row) => row.values)).toEqual([{ note: "b", delay: null }]);
    await Promise.all([sink.close(), other.close()]);
  });

  test("another identity is refused", async () => {
    const sink = await scratch.open();
    expect(await sink.prepare(contractOf([ID]))).toBeUndefined();
    const changed = contractOf([ID], [{ ...ID, type: "VARCHAR" }]);
    expect(await sink.prepare(changed)).toMatchObject({ code: "sink-key-changed" });
    await sink.close();
  });

  test("what a crash left half done is completed, wherever it came", async () => {
    const key = ["date", "carrier"].map((name) => ({ ...ID, name }));
    const contract = contractOf([column("delay")], key);
    await scratch.open().then((sink) => sink.prepare(contract).then(() => sink.close()));
    for (let done = 1; done <= 4; done++) {
      const sink = await scratch.open();
      const statements = unwrap(await sink.plan(contract));
      expect(statements).toHaveLength(5);
      for (const statement of statements.slice(0, done)) await scratch.ask(statement);
      expect(await sink.plan(contract)).toEqual({ ok: true, value: statements.slice(done) });
      expect(await sink.prepare(contract)).toBeUndefined();
      expect(await sink.plan(contract)).toEqual({ ok: true, value: [] });
      await sink.close();
    }
  });

  test("several workers may prepare one table at once", async () => {
    const table = scratchTable();
    const contract = contractOf([ID, column("delay"), column("at", "TIMESTAMP")]);
    const sinks = await Promise.all([1, 2, 3].map(() => scratch.open({ table })));
    const problems = await Promise.all(sinks.map((sink) => sink.prepare(contract)));
    expect(problems).toEqual([undefined, undefined, undefined]);
    const wider = { ...contract, columns: [...contract.columns, column("excess", "DOUBLE")] };
    expect(await Promise.all(sinks.map((sink) => sink.prepare(wider)))).toEqual(problems);
    for (const sink of sinks) await sink.close();
  });
});

test("several workers may make a keyspace and all that is in it at once", async () => {
  for (let round = 0; round < 5; round++) {
    const fresh = await scratchKeyspace();
    const table = scratchTable();
    const sinks = await Promise.all([1, 2, 3, 4].map(() => fresh.open({ table })));
    const contract = contractOf([ID, column("delay")]);
    const problems = await Promise.all(sinks.map((sink) => sink.prepare(contract)));
    expect(problems).toEqual(sinks.map(() => undefined));
    for (const sink of sinks) await sink.close();
    await fresh.remove();
  }
});

describe("tables that are not to be written", () => {
  test("one of another pipeline", async () => {
    const table = scratchTable();
    const [first, second] = [
      await scratch.open({ table, owner: "production:delays" }),
      await scratch.open({ table, owner: "production:fares" }),
    ];
    expect(await first.prepare(contractOf([ID]))).toBeUndefined();
    const problem = await second.prepare(contractOf([ID]));
    expect(problem).toMatchObject({ code: "sink-owned" });
    expect(problem?.message).toContain("production:delays");
    await first.close();
    await second.close();
  });

  test("one that no pipeline made", async () => {
    const table = scratchTable();
    await scratch.ask(`create table $keyspace.${table} (id bigint primary key)`);
    const sink = await scratch.open({ table });
    expect(await sink.prepare(contractOf([ID]))).toMatchObject({ code: "sink-owned" });
    await sink.close();
  });

  test.each([
    [
      "time windows",
      "compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}",
      "sink-compaction",
    ],
    ["a time to live of its own", "default_time_to_live = 60", "sink-default-ttl"],
  ])("one with %s", async (_, setting, code) => {
    const table = scratchTable();
    const sink = await scratch.open({ table });
    expect(await sink.prepare(contractOf([ID]))).toBeUndefined();
    await scratch.ask(`alter table $keyspace.${table} with ${setting}`);
    const problem = await sink.prepare(contractOf([ID]));
    expect(problem).toMatchObject({ code });
    await scratch.ask((problem?.hint ?? "").replace(/^Run: /, "").replace(/, and give.*$/, ""));
    expect(await sink.prepare(contractOf([ID]))).toBeUndefined();
    await sink.close();
  });

  test.each([
    ["lacks", "gone", "a column the release does not write"],
    ["has as a number", "id", "no timestamp"],
  ])("an expiresAt that the contract %s", async (_, expiresAt, words) => {
    const sink = await scratch.open({ expiresAt });
    const problem = await sink.prepare(contractOf([ID]));
    expect(problem).toMatchObject({ code: "sink-expires-at" });
    expect(problem?.message).toContain(words);
    await sink.close();
  });
});
