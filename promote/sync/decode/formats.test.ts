import { describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { PLAIN_STREAM, type StreamSettings } from "#snapshots/stream-settings.ts";
import type { SourceRecord } from "../ports.ts";
import type { Decoded } from "./decode.ts";
import { openDecoder } from "./open-decoder.ts";

function record(value: string | null, key: string | null = null): SourceRecord {
  return {
    offset: 0,
    timestampMs: 0,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: [],
  };
}

function decode(
  stream: Partial<StreamSettings>,
  input: Column[],
  records: SourceRecord[],
  key: string[] = [],
): Decoded {
  const decoder = unwrap(openDecoder({ input, key, stream: { ...PLAIN_STREAM, ...stream } }));
  const outcome = decoder.decode(records, "flights", 0);
  if (outcome instanceof Promise || outcome.kind !== "decoded") throw new Error("not at once");
  return outcome.decoded;
}

const columns: Column[] = [
  { name: "id", type: "VARCHAR", nullable: false },
  { name: "n", type: "BIGINT", nullable: true },
  { name: "at", type: "TIMESTAMP", nullable: true },
  { name: "tags", type: "INTEGER[]", nullable: true },
];

describe("csv", () => {
  test.each<[line: string, row: unknown[]]>([
    ["a,1,2001-03-14T15:09:26,[1]", ["a", 1, 984582566000000, [1]]],
    ["a,,,", ["a", null, null, null]],
    ["a,-5,,\r\n", ["a", -5, null, null]],
    ['"a,b ""c""",1,,"[1,2]"', ['a,b "c"', 1, null, [1, 2]]],
    ["a,-5,,\r", ["a", -5, null, null]],
    ['"a",-5,,\r', ["a", -5, null, null]],
    ["\uFEFFa,-5,,", ["a", -5, null, null]],
    ['\uFEFF"a",-5,,\r\n', ["a", -5, null, null]],
    ["a\uFEFF,-5,,", ["a\uFEFF", -5, null, null]],
    ['"",,,', ["", null, null, null]],
    ['"two\nlines",,,', ["two\nlines", null, null, null]],
  ])("%j", (line, row) => {
    const decoded = decode({ format: "csv" }, columns, [record(line)]);
    expect(decoded.failures).toEqual([]);
    expect(decoded.values.map(([value]) => value)).toEqual(row);
  });

  test.each<[line: string, reason: string]>([
    ["a,1", "the line has 2 fields, the contract 4 columns"],
    [",1,,", "column `id` is null"],
    ["a,1.5,,", 'column `n` is "1.5", which is not BIGINT'],
    ["a,9007199254740993,,", "outside what BIGINT holds"],
    ["a,,,[1", "which is not JSON"],
    ["a,,,\nb,,,", "more than one line"],
    ['"a",,,\nb,,,', "more than one line"],
    ['a,"1,,', "the line is not CSV"],
  ])("%j fails", (line, reason) => {
    const decoded = decode({ format: "csv" }, columns, [record(line)]);
    expect(decoded.failures[0]?.reason).toContain(reason);
  });

  test("a field of a JSON column holds JSON", () => {
    const input = [{ name: "x", type: "JSON", nullable: false }];
    const lines = ['"{""a"": 1}"', "1.50", "late"];
    const decoded = decode(
      { format: "csv" },
      input,
      lines.map((line) => record(line)),
    );
    expect(decoded.values).toEqual([['{"a": 1}', "1.50"]]);
    expect(decoded.failures).toMatchObject([{ reason: 'column `x` is "late", which is not JSON' }]);
  });

  test("a field of any depth fails its record", () => {
    const deep = `a,,,${"[".repeat(6000)}${"]".repeat(6000)}`;
    const decoded = decode({ format: "csv" }, columns, [record(deep), record("a,,,")]);
    expect(decoded.rows).toBe(1);
    expect(decoded.failures[0]?.reason).toContain("nested deeper than 500 levels");
  });

  test("JSON within a list or struct keeps its numbers as they were sent", () => {
    const input = [{ name: "x", type: "STRUCT(j JSON[], n DOUBLE)", nullable: false }];
    const line = '"{""j"":[12345678901234567890],""n"":0.12345678901234567890}"';
    const decoded = decode({ format: "csv" }, input, [record(line)]);
    expect(decoded.values).toEqual([[[["12345678901234567890"], 0.12345678901234568]]]);
  });

  test("another delimiter", () => {
    const decoded = decode({ format: "csv", delimiter: ";" }, columns, [record("a,b;1;;")]);
    expect(decoded.values.map(([value]) => value)).toEqual(["a,b", 1, null, null]);
  });

  test("a number beyond what floating point holds is not infinity", () => {
    const input = [{ name: "x", type: "DOUBLE", nullable: false }];
    const { failures } = decode({ format: "csv" }, input, [record("-1e400"), record("-Infinity")]);
    expect(failures).toEqual([
      {
        record: 0,
        stage: "decode",
        reason: "column `x` is -Infinity, which is not within DOUBLE's range",
      },
    ]);
  });

  test.each<[type: string, text: string, kept: unknown]>([
    ["BOOLEAN", "true", true],
    ["DOUBLE", "-1.5e3", -1500],
    ["DOUBLE", "NaN", Number.NaN],
    ["DECIMAL(38,2)", "-12345678901234567890.10", -1234567890123456789010n],
    ["HUGEINT", "-9223372036854775809", -9223372036854775809n],
    ["ENUM('a')", "a", "a"],
  ])("%s is read from %j exactly", (type, text, kept) => {
    const input = [{ name: "x", type, nullable: false }];
    expect(decode({ format: "csv" }, input, [record(text)]).values[0]).toEqual([kept]);
  });
});

describe("text", () => {
  const line: Column[] = [{ name: "line", type: "VARCHAR", nullable: false }];

  test("the whole value is the one column, whatever it holds", () => {
    const decoded = decode({ format: "text" }, line, [record('{"a":1}'), record("")]);
    expect(decoded.values).toEqual([['{"a":1}', ""]]);
  });

  test("into a JSON column it is JSON", () => {
    const input = [{ name: "line", type: "JSON", nullable: false }];
    const decoded = decode({ format: "text" }, input, [record('{"a": 1.50}'), record("late")]);
    expect(decoded.values).toEqual([['{"a": 1.50}']]);
    expect(decoded.failures).toMatchObject([
      { record: 1, reason: 'column `line` is "late", which is not JSON' },
    ]);
  });

  test("another contract is refused before anything is read", () => {
    const opened = openDecoder({
      input: columns,
      key: [],
      stream: { ...PLAIN_STREAM, format: "text" },
    });
    expect(opened).toMatchObject({ ok: false, problem: { code: "stream-format" } });
  });
});

describe("keys", () => {
  test.each<[keyFormat: "json" | "text", key: string, token: string | number]>([
    ["json", '"a"', "a"],
    ["json", "a", "a"],
    ["text", '"a"', '"a"'],
    ["text", "[1]", "[1]"],
  ])("%s %s is %j", (keyFormat, key, token) => {
    const decoded = decode({ keyFormat }, columns, [record(null, key)], ["id"]);
    expect(decoded.tombstones).toEqual([0]);
    expect(decoded.token).toEqual([token]);
  });

  test("a text key of a number is that number", () => {
    const decoded = decode({ keyFormat: "text" }, columns, [record(null, "12")], ["n"]);
    expect(decoded.token).toEqual([12]);
  });

  test("Avro without a registry is refused before anything is read", () => {
    for (const stream of [
      { ...PLAIN_STREAM, format: "avro" as const },
      { ...PLAIN_STREAM, keyFormat: "avro" as const },
    ]) {
      const opened = openDecoder({ input: columns, key: ["id"], stream });
      expect(opened).toMatchObject({ ok: false, problem: { code: "registry-missing" } });
    }
  });
});
