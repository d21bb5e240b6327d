import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBTimestampTZValue } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { sinkConformance } from "../conformance/sink-conformance.ts";
import { batchOf, CONTRACT, stored } from "../conformance/sink-effects.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { openDuckdbSink } from "./duckdb-sink.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0))
    rmSync(directory, { recursive: true, force: true });
});

describe("a DuckDB file as a Sink", () => {
  sinkConformance(async () => {
    const directory = mkdtempSync(join(tmpdir(), "penstock-sink-"));
    directories.push(directory);
    return {
      open: () => openDuckdbSink({ name: "table", path: join(directory, "table.duckdb") }),
      close: async () => {},
    };
  });
});

test("thousands of clears without a row among them put nothing beyond the room of a vector, of whatever type", async () => {
  const directory = mkdtempSync(join(tmpdir(), "penstock-sink-"));
  directories.push(directory);
  const sink = await openDuckdbSink({ name: "table", path: join(directory, "table.duckdb") });
  const types = [
    "BOOLEAN",
    "TINYINT",
    "DECIMAL(4,1)",
    "VARCHAR",
    "BOOLEAN[]",
    "STRUCT(a BOOLEAN, b VARCHAR, c TINYINT[])",
    "MAP(VARCHAR, BOOLEAN)",
    "ENUM('a', 'b')",
  ];
  const others = types.map((type, i) => ({ name: `c${i}`, type, nullable: true }));
  const contract = { ...CONTRACT, columns: [...CONTRACT.columns, ...others] };
  expect(await sink.prepare(contract)).toBeUndefined();
  const clears = Array.from({ length: 5000 }, (_, id) => ({ id, offset: id, note: null }));
  const outcomes = await sink.write(batchOf(clears, contract));
  expect(outcomes.every(({ kind }) => kind === "written")).toBe(true);
  expect(await stored(sink)).toEqual(
    clears.map(({ id }) => expect.objectContaining({ key: [id], values: null })),
  );
  await sink.close();
});

test("a scan is whole, however often rows are counted meanwhile", async () => {
  const directory = mkdtempSync(join(tmpdir(), "penstock-sink-"));
  directories.push(directory);
  const sink = await openDuckdbSink({ name: "table", path: join(directory, "table.duckdb") });
  const id = { name: "id", type: "BIGINT", nullable: false };
  const contract = { key: [id], columns: [id], maxParts: 1 };
  expect(await sink.prepare(contract)).toBeUndefined();
  const count = 20_000;
  const rows = Int32Array.from({ length: count }, (_, i) => i);
  const records = Array.from(rows, (i) => ({
    offset: i,
    timestampMs: 0,
    key: null,
    headers: [],
    value: Buffer.from(`{"id":${i}}`),
  }));
  const decoded = unwrap(openJsonDecoder({ input: [id], key: ["id"] })).decode(records, 0);
  await sink.write({
    contract,
    places: [{ topic: "t", partition: 0 }],
    place: new Uint16Array(count),
    count,
    kind: new Uint8Array(count).fill(1),
    part: new Int32Array(count),
    version: BigInt64Array.from(rows, BigInt),
    offset: Float64Array.from(rows),
    keyRow: rows,
    keys: decoded.keys(),
    row: rows,
    rows: decoded.encode(0, count),
  });
  let scanned = 0;
  for await (const _ of sink.scan()) if (scanned++ % 1000 === 0) await sink.count();
  expect(scanned).toBe(count);
  await sink.close();
});

describe("every type goes through a sink file without loss", () => {
  // The client writes times with a zone in the machine's own.
  const { timezoneOffsetInMinutes } = DuckDBTimestampTZValue;
  beforeEach(() => void (DuckDBTimestampTZValue.timezoneOffsetInMinutes = 60));
  afterEach(() => void (DuckDBTimestampTZValue.timezoneOffsetInMinutes = timezoneOffsetInMinutes));

  // A second value, so that a null, a long text and a short one stand in one vector.
  test.each([
    ["BOOLEAN", true, false],
    ["TINYINT", -128, 127],
    ["SMALLINT", -32768, 5],
    ["INTEGER", -2147483648, 5],
    ["BIGINT", -9007199254740991, 5],
    ["UTINYINT", 255, 0],
    ["USMALLINT", 65535, 0],
    ["UINTEGER", 4294967295, 0],
    ["UBIGINT", "18446744073709551615", 0],
    ["HUGEINT", "-170141183460469231731687303715884105728", 1],
    ["UHUGEINT", "340282366920938463463374607431768211455", 1],
    ["FLOAT", 0.5, -2],
    ["DOUBLE", 0.1, "NaN"],
    ["DECIMAL(4,2)", "-99.99", "0.00"],
    ["DECIMAL(9,2)", "1234567.89", "-0.01"],
    ["DECIMAL(18,3)", "-123456789012345.678", "1.000"],
    ["DECIMAL(38,10)", "1234567890123456789012345678.0123456789", "-1.0000000000"],
    ["VARCHAR", "short", "a text that does not fit in twelve bytes, ünïcode 🛩"],
    ["VARCHAR", "", "exactly12byt"],
    ["UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"],
    ["ENUM('a', 'it''s b')", "it's b", "a"],
    ["BLOB", "00ff5c78", "5c783431"],
    ["DATE", "-000043-03-15", "+012345-01-01"],
    ["TIME", "15:09:26.5", "00:00:00"],
    ["TIMESTAMP", "2001-03-14T15:09:26.535897", "-001000-01-01T00:00:00.5"],
    ["TIMESTAMP_S", "2001-03-14T15:09:26", "1969-12-31T23:59:59"],
    ["TIMESTAMP_MS", "2001-03-14T15:09:26.535", "1969-12-31T23:59:59"],
    ["TIMESTAMP_NS", "2001-03-14T15:09:26.535897932", "1969-12-31T23:59:59"],
    ["TIMESTAMP WITH TIME ZONE", "2001-03-14T15:09:26.535897Z", "1969-12-31T23:59:59Z"],
    ["INTEGER[]", [1, null, 3], []],
    ["INTEGER[2]", [1, 2], [3, null]],
    ["VARCHAR[][]", [["a", "a text longer than twelve bytes"], []], [[null]]],
    ['STRUCT(a INTEGER, "b c" VARCHAR[])', { a: 1, "b c": ["x", null] }, { a: null, "b c": [] }],
    ['STRUCT(b INTEGER, "1" INTEGER)', { b: 10, 1: 20 }, { b: null, 1: 30 }],
    [
      "MAP(VARCHAR, INTEGER)",
      [
        ["k", 1],
        ["l", null],
      ],
      [],
    ],
    ["UUID[]", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], [null]],
  ])("%s", async (type, first, second) => {
    const input = [
      { name: "id", type: "BIGINT", nullable: false },
      { name: "X", type, nullable: true },
      { name: "x", type: "BIGINT", nullable: true },
    ];
    const values = [first, null, second, first];
    const records = values.map((x, i) => ({
      offset: i,
      timestampMs: 0,
      key: null,
      headers: [],
      value: Buffer.from(JSON.stringify({ id: i, X: x, x: i })),
    }));
    const decoded = unwrap(openJsonDecoder({ input, key: ["id"] })).decode(records, 0);
    expect(decoded.failures).toEqual([]);
    const directory = mkdtempSync(join(tmpdir(), "penstock-sink-"));
    directories.push(directory);
    const sink = await openDuckdbSink({ name: "table", path: join(directory, "table.duckdb") });
    const contract = {
      key: [{ name: "id", type: "BIGINT", nullable: false }],
      columns: input,
      maxParts: 1,
    };
    expect(await sink.prepare(contract)).toBeUndefined();
    const at = Int32Array.from([3, 2, 1, 0]);
    const outcomes = await sink.write({
      contract,
      places: [{ topic: "t", partition: 0 }],
      place: new Uint16Array(4),
      count: 4,
      kind: new Uint8Array(4).fill(1),
      part: new Int32Array(4),
      version: BigInt64Array.from([4n, 3n, 2n, 1n]),
      offset: Float64Array.from(at),
      keyRow: at,
      keys: decoded.keys(),
      row: at,
      rows: decoded.encode(0, 4),
    });
    expect(outcomes.map((outcome) => outcome.kind)).toEqual([
      "written",
      "written",
      "written",
      "written",
    ]);
    const rows: unknown[] = [];
    for await (const row of sink.scan()) rows.push(row.values);
    expect(rows).toEqual(values.map((X, i) => ({ id: i, X, x: i })));
    await sink.close();
  });
});
