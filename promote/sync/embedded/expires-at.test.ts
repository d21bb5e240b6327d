import { DatabaseSync } from "node:sqlite";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import {
  collect,
  DELAYS_OUTPUT,
  freshPlace,
  living,
  specOf,
  until,
  type FixturePlace,
} from "../fixture.ts";
import { openSync, type PipelineStatus, type Sync } from "../sync.ts";
import { openDuckdbSink } from "./duckdb-sink.ts";
import { openFileLogWriter, type FileLogWriter } from "./file-log.ts";

let place: FixturePlace;
let log: FileLogWriter;
let sync: Sync;

beforeEach(async () => {
  place = freshPlace();
  log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  sync = open();
});
afterEach(async () => {
  await sync.close();
  await log.close();
  place.remove();
});

test("a row is gone for all who read once its time has passed, its values at the next start, and no replay brings it back", async () => {
  const spec = await specOf(place, { expiresAt: "date", sinks: ["table"] });
  const soon = new Date(Date.now() + 2000).toISOString().slice(0, 23);
  await send([1, "2001-04-01T00:05:00"], [2, soon], [3, "2101-04-01T00:00:00"]);
  unwrap(await sync.start(spec));
  await until("what has passed is not counted", () => {
    const { offset, sinks } = status();
    return offset === log.end() && sinks[0]?.rows === 1;
  });
  await stop();
  expect(await ask("select id from data", "America/New_York")).toEqual([[3n]]);
  expect(await ask("select k0 from kept where alive", "Asia/Tokyo")).toEqual([[3n]]);

  await sync.close();
  forgetOffsets();
  sync = open();
  unwrap(await sync.start(spec));
  await until("all was read again", () => status().offset === log.end());
  await stop();
  expect(await scanned("date")).toEqual([3]);
  expect(await ask("select k0, alive, c0 from rows order by k0")).toEqual([
    [1n, false, null],
    [2n, false, null],
    [3n, true, 3n],
  ]);
});

test.each(["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"])(
  "a %s says when; NULL never passes",
  async (type) => {
    const input = [
      { name: "id", type: "BIGINT", nullable: false },
      { name: "until", type, nullable: true },
    ];
    const spec = await specOf(place, {
      input,
      output: input,
      apply: "(f) => f",
      expiresAt: "until",
      sinks: ["table"],
    });
    const zone = type.endsWith("ZONE") ? "Z" : "";
    for (const [id, moment] of [
      [1, `2001-04-01T00:05:00${zone}`],
      [2, null],
      [3, `2101-04-01T00:00:00${zone}`],
    ])
      unwrap(await log.append([json({ id, until: moment })]));
    unwrap(await sync.start(spec));
    await until("two are left", () => {
      const { state, problem, offset, sinks } = status();
      if (state === "halted") throw new Error(problem?.message);
      return offset === log.end() && sinks[0]?.rows === 2;
    });
    await stop();
    expect(await ask("select id from data order by id")).toEqual([[2n], [3n]]);
  },
);

test.each([
  ["gone", "a column the release does not write"],
  ["delay", "no timestamp"],
])("expiresAt: %s, which is %s, halts the pipeline", async (expiresAt, words) => {
  unwrap(await sync.start(await specOf(place, { expiresAt })));
  await until("halted", () => status().state === "halted");
  expect(status().problem).toMatchObject({
    code: "sink-expires-at",
    message: expect.stringContaining(words),
  });
});

function open(): Sync {
  return openSync({ workspace: place.workspace, store: place.store, statePath: place.statePath });
}

/** What an operator's offset reset does. */
function forgetOffsets(): void {
  const state = new DatabaseSync(place.statePath);
  state.exec("delete from sync_offsets");
  state.close();
}

/** Its files are free then. */
async function stop(): Promise<void> {
  unwrap(await sync.stop("staging", "delays"));
}

function status(): PipelineStatus {
  const [only] = sync.status();
  if (only === undefined) throw new Error("no pipeline");
  return only;
}

async function send(...flights: [id: number, date: string][]): Promise<void> {
  const records = flights.map(([id, date]) =>
    json({ id, date, delay: id, distance: 300, origin: "DEN", destination: "SFO" }),
  );
  unwrap(await log.append(records));
}

function json(value: object) {
  return { key: null, value: Buffer.from(JSON.stringify(value)), timestampMs: 1 };
}

function path(): string {
  return `${place.workspace.paths.sinks}/staging/delays/table.duckdb`;
}

/** Keys of the living rows. */
async function scanned(expiresAt: string): Promise<unknown[]> {
  const sink = await openDuckdbSink({ name: "table", path: path(), expiresAt });
  const key = DELAYS_OUTPUT.slice(0, 1);
  expect(await sink.prepare({ key, columns: DELAYS_OUTPUT, maxParts: 1 })).toBeUndefined();
  const found = living(await collect(sink.scan())).map((row) => row.key[0]);
  await sink.close();
  return found;
}

/** As a person asks the file, wherever that person is. */
async function ask(query: string, zone = "UTC"): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(path());
  const connection = await instance.connect();
  await connection.run(`set TimeZone = '${zone}'`);
  const found = await connection.runAndReadAll(query);
  connection.closeSync();
  instance.closeSync();
  return found.getRows();
}
