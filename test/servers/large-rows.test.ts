import { Client } from "cassandra-driver";
import { afterEach, expect, test, vi } from "vitest";
import type { Sink, SinkContract } from "#promote/sync/ports.ts";
import { scratchKeyspace } from "./cassandra-scratch.ts";
import { ELASTICSEARCH, scratchIndex } from "./elasticsearch-scratch.ts";
import { openFaultProxy } from "./http-fault-proxy.ts";
import { batchOf } from "./sink-batches.ts";

const column = { name: "id", type: "INTEGER", nullable: false };
const CONTRACT: SinkContract = {
  key: [column],
  columns: [column, { name: "note", type: "VARCHAR", nullable: false }],
  maxParts: 1,
};
const ROWS = 240;
const ROW_BYTES = 100_000;
const MOST_BYTES = 12 << 20;

async function write(sink: Sink): Promise<void> {
  expect(await sink.prepare(CONTRACT)).toBeUndefined();
  const note = "x".repeat(ROW_BYTES);
  for (let from = 0; from < ROWS; from += 40) {
    const operations = Array.from({ length: 40 }, (_, i) => ({
      key: [from + i],
      values: { id: from + i, note },
      offset: from + i,
    }));
    const outcomes = await sink.write(batchOf(CONTRACT, operations));
    expect(outcomes.every(({ kind }) => kind === "written")).toBe(true);
  }
}

async function scanned(sink: Sink): Promise<unknown[]> {
  const keys = [];
  for await (const { key } of sink.scan()) keys.push(key[0]);
  return keys.toSorted((a, b) => Number(a) - Number(b));
}

const EVERY = Array.from({ length: ROWS }, (_, i) => i);

const removing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removing.splice(0)) await remove();
});

test("an Elasticsearch index of large rows is read in pages of a few megabytes, and in smaller ones where its memory is short", async () => {
  const proxy = await openFaultProxy(ELASTICSEARCH);
  const scratch = await scratchIndex(proxy.url);
  const sink = await scratch.open();
  removing.push(
    () => sink.close(),
    () => scratch.remove(),
    () => proxy.close(),
  );
  await write(sink);
  const sizes: number[] = [];
  const isSearch = ({ path }: { path: string }): boolean => path === "/_search";
  const measured = (body: unknown): unknown => (sizes.push(JSON.stringify(body).length), body);
  const error = { type: "circuit_breaking_exception", reason: "Data too large" };
  proxy.add(
    { when: isSearch, times: 1, fault: { kind: "answer", status: 429, body: { error } } },
    { when: isSearch, fault: { kind: "alter", alter: measured } },
  );
  expect(await scanned(sink)).toEqual(EVERY);
  expect(Math.max(...sizes)).toBeLessThan(MOST_BYTES);
  expect(sizes[0]).toBeLessThan(33 * (ROW_BYTES + 1000));
});

test("a Cassandra table of large rows is read in pages of a few megabytes", async () => {
  const scratch = await scratchKeyspace();
  const sink = await scratch.open();
  removing.push(
    () => sink.close(),
    () => scratch.remove(),
  );
  await write(sink);
  const execute = vi.spyOn(Client.prototype, "execute");
  expect(await scanned(sink)).toEqual(EVERY);
  const asked = execute.mock.calls.map((call: readonly unknown[]) => call[2]);
  execute.mockRestore();
  for (const options of asked)
    expect(Number(Reflect.get(options ?? {}, "fetchSize")) * ROW_BYTES).toBeLessThan(MOST_BYTES);
});
