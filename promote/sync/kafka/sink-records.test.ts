import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { typedColumns } from "../values/identity.ts";
import { batchOf, CONTRACT } from "../conformance/sink-effects.ts";
import { carriedTrace } from "../pipeline/trace.ts";
import { openBatch } from "./batch-builder.ts";
import { decodeBatches } from "./records.ts";
import { recordWriter } from "./sink-records.ts";

test("a record carries its trace on, however long", () => {
  const value = `01-${"a".repeat(32)}-${"b".repeat(16)}-01-${"c".repeat(9000)}`;
  const carried = carriedTrace([{ key: "traceparent", value: Buffer.from(value) }]);
  expect(carried).toHaveLength(1);
  const written = { ...batchOf([{ id: 7, offset: 3, note: "x" }]), headers: () => carried };
  const shape = {
    key: unwrap(typedColumns(CONTRACT.key)),
    columns: unwrap(typedColumns(CONTRACT.columns)),
  };
  const writer = recordWriter(written, shape);
  writer.partition(0, 1);
  const batch = openBatch();
  batch.add(writer.record(0, 1));
  const bytes = batch.build({ producerId: 1n, epoch: 0, sequence: 0 }, "none");
  const [record] = unwrap(decodeBatches(bytes, 0, []));
  const texts = record?.headers.map((header) => [header.key, String(header.value)]);
  expect(texts?.at(-1)).toEqual(["traceparent", value]);
  expect(record?.value?.toString()).toBe('{"id":7,"note":"x"}');
});
