import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { collect, until } from "#promote/sync/fixture.ts";
import type { Outcome, Sink, SinkContract } from "#promote/sync/ports.ts";
import { writeSettled } from "#promote/sync/pipeline/retry.ts";
import { servers } from "./addresses.ts";
import { ELASTICSEARCH, scratchIndex, type ScratchIndex } from "./elasticsearch-scratch.ts";
import { openFaultProxy, type FaultProxy, type Rule } from "./http-fault-proxy.ts";
import { batchOf, type Operation } from "./sink-batches.ts";

const CONTRACT: SinkContract = {
  key: [{ name: "id", type: "INTEGER", nullable: false }],
  columns: [
    { name: "id", type: "INTEGER", nullable: false },
    { name: "note", type: "VARCHAR", nullable: true },
  ],
  maxParts: 1,
};
const isBulk: Rule["when"] = ({ path }) => path.endsWith("/_bulk");

let proxy: FaultProxy;
let scratch: ScratchIndex;
let sink: Sink;
beforeAll(async () => {
  proxy = await openFaultProxy(ELASTICSEARCH);
});
afterAll(() => proxy.close());
beforeEach(async () => {
  scratch = await scratchIndex();
  const { connection } = scratch.options;
  sink = await scratch.open({ connection: { ...connection, nodes: [proxy.url] } });
  await sink.prepare(CONTRACT);
});
afterEach(async () => {
  proxy.heal();
  await sink.close();
  await scratch.remove();
});

const rows = (count: number, note: (id: number) => string = String): Operation[] =>
  Array.from({ length: count }, (_, id) => ({
    key: [id],
    values: { id, note: note(id) },
    offset: id,
  }));
const write = (operations: readonly Operation[]): Promise<Outcome[]> =>
  sink.write(batchOf(CONTRACT, operations));
const kinds = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ kind }) => kind);
const written = async (): Promise<unknown[]> =>
  (await collect(sink.scan()))
    .toSorted((a, b) => Number(a.key[0]) - Number(b.key[0]))
    .map(({ values }) => values?.["note"]);

/** As retry.ts drives a sink in a pipeline. */
async function settled(operations: readonly Operation[]): Promise<string[]> {
  const outcomes = await writeSettled(sink, batchOf(CONTRACT, operations), {
    signal: AbortSignal.timeout(30_000),
    random: () => 0,
    observe: () => {},
  });
  return Array.isArray(outcomes) ? kinds(outcomes) : [outcomes.code];
}

/** Item `n` of a bulk answer, changed. */
const altered = (n: number, index: object): Rule["fault"] => ({
  kind: "alter",
  alter: (body) => {
    const answer = body as { items: { index: object }[] }; // Elasticsearch's own shape
    answer.items[n] = { index };
    return { ...answer, errors: true };
  },
});
const item = (n: number, status: number, type: string): Rule["fault"] =>
  altered(n, { status, error: { type, reason: `made up: ${type}` } });

describe("what each failure of a whole request means", () => {
  test.each([
    [429, "retryAfter", "elasticsearch-busy"],
    [500, "retryAfter", "elasticsearch-busy"],
    [502, "retryAfter", "elasticsearch-busy"],
    [503, "retryAfter", "elasticsearch-busy"],
    [504, "retryAfter", "elasticsearch-busy"],
    [401, "halt", "elasticsearch-refused"],
    [403, "halt", "elasticsearch-refused"],
    [404, "halt", "elasticsearch-index-missing"],
    // A proxy's: none of them says that a document is wrong, or an older one.
    [400, "halt", "elasticsearch-request"],
    [407, "halt", "elasticsearch-request"],
    [409, "halt", "elasticsearch-request"],
  ])("%d: %s", async (status, kind, code) => {
    proxy.add({ when: isBulk, times: 1, fault: { kind: "answer", status } });
    const outcomes = await write(rows(3));
    expect(outcomes).toMatchObject([1, 2, 3].map(() => ({ kind, problem: { code } })));
    expect(kinds(await write(rows(3)))).toEqual(["written", "written", "written"]);
  });

  test("a connection cut before, or in the midst of, the answer: sent again, written once", async () => {
    proxy.add({ when: isBulk, times: 1, fault: { kind: "cut" } });
    expect(kinds(await write(rows(2)))).toEqual(["retryAfter", "retryAfter"]);
    proxy.add({ when: isBulk, times: 1, fault: { kind: "cutAnswer", afterBytes: 20 } });
    expect(kinds(await write(rows(2)))).toEqual(["retryAfter", "retryAfter"]);
    expect(await settled(rows(2))).toEqual(["written", "written"]);
    expect(await written()).toEqual(["0", "1"]);
  });

  test("a server that is not there, then is", async () => {
    proxy.add({ fault: { kind: "cut" } });
    const soon = settled(rows(2));
    await until("a few attempts", () => proxy.asked.filter((a) => a.endsWith("_bulk")).length > 3);
    proxy.heal();
    expect(await soon).toEqual(["written", "written"]);
  });

  test("an answer that takes too long can be given up, and what it did counts once", async () => {
    proxy.add({ when: isBulk, times: 1, fault: { kind: "delay", ms: 300 } });
    const controller = new AbortController();
    const writing = sink.write(batchOf(CONTRACT, rows(2)), controller.signal);
    await until("it is on its way", () => proxy.asked.some((asked) => asked.endsWith("_bulk")));
    controller.abort();
    expect(kinds(await writing)).toEqual(["retryAfter", "retryAfter"]);
    expect(await settled(rows(2))).toEqual(["written", "written"]);
    expect(await written()).toEqual(["0", "1"]);
  });

  test("what was not sent yet is not sent when a request fails", async () => {
    proxy.add({ when: isBulk, fault: { kind: "answer", status: 503 } });
    const before = proxy.asked.length;
    expect(new Set(kinds(await write(rows(20_000))))).toEqual(new Set(["retryAfter"]));
    expect(proxy.asked.length - before).toBeLessThanOrEqual(2);
    proxy.heal();
    expect(new Set(await settled(rows(20_000)))).toEqual(new Set(["written"]));
    expect(await sink.count()).toBe(20_000);
  });
});

describe("what each failure of one item means", () => {
  test.each([
    [429, "es_rejected_execution_exception", "retryAfter"],
    [503, "unavailable_shards_exception", "retryAfter"],
    [409, "version_conflict_engine_exception", "stale"],
    [400, "document_parsing_exception", "reject"],
    [400, "strict_dynamic_mapping_exception", "halt"],
    [403, "cluster_block_exception", "halt"],
    [404, "index_not_found_exception", "halt"],
  ])("%d %s: %s, the others are written", async (status, type, kind) => {
    proxy.add({ when: isBulk, times: 1, fault: item(1, status, type) });
    expect(kinds(await write(rows(3)))).toEqual(["written", kind, "written"]);
  });

  test("an error without a reason, as a script in an ingest pipeline has them, is rejected all the same", async () => {
    const error = {
      type: "document_parsing_exception",
      reason: null,
      caused_by: { type: "null_pointer_exception", reason: null },
    };
    proxy.add({ when: isBulk, times: 1, fault: altered(1, { status: 400, error }) });
    expect(await write(rows(3))).toMatchObject([
      { kind: "written" },
      { kind: "reject", reason: expect.stringContaining("null_pointer_exception") },
      { kind: "written" },
    ]);
  });

  test("only the items that asked for it are sent again", async () => {
    const sizes: number[] = [];
    proxy.add(
      { when: isBulk, times: 1, fault: item(1, 429, "es_rejected_execution_exception") },
      {
        when: (asked) => {
          if (isBulk(asked)) sizes.push(asked.sizeBytes);
          return false;
        },
        fault: { kind: "cut" },
      },
    );
    expect(await settled(rows(3))).toEqual(["written", "written", "written"]);
    expect(sizes).toHaveLength(1);
    expect(sizes[0]).toBeLessThan(300);
  });

  test("a stale version, a value the mapping refuses and a row that is written, in one bulk", async () => {
    await write([{ key: [1], values: { id: 1, note: "newer" }, offset: 90 }]);
    // Somebody narrowed the index behind Penstock's back: a real refusal, not one made up.
    const index = `${scratch.read}-000001`;
    await sink.close();
    await scratch.ask("DELETE", `/${index}`);
    const properties = { id: { type: "long" }, note: { type: "long" }, _penstock: OWN };
    await scratch.ask("PUT", `/${index}`, {
      aliases: { [`${index}-write`]: {}, [scratch.read]: {} },
      mappings: { dynamic: "strict", properties },
    });
    sink = await narrowed(index);
    await write([{ key: [1], values: { id: 1, note: "7" }, offset: 90 }]);
    const outcomes = await write([
      { key: [1], values: { id: 1, note: "6" }, offset: 50 },
      { key: [2], values: { id: 2, note: "not a number" }, offset: 51 },
      { key: [3], values: { id: 3, note: "5" }, offset: 52 },
    ]);
    expect(outcomes).toMatchObject([
      { kind: "stale" },
      { kind: "reject", reason: expect.stringContaining('For input string: "not a number"') },
      { kind: "written" },
    ]);
  });
});

const OWN = { type: "object", enabled: false };

/** A sink of an index whose `_meta` says what the contract wants, whatever its fields are. */
async function narrowed(index: string): Promise<Sink> {
  const columns = CONTRACT.columns.map(({ name, type }) => ({ name, type, field: name }));
  const penstock = {
    format: 1,
    owner: scratch.options.owner,
    key: [{ name: "id", type: "INTEGER" }],
    routing: null,
    columns,
  };
  await scratch.ask("PUT", `/${index}/_mapping`, { _meta: { penstock } });
  const opened = await scratch.open();
  expect(await opened.prepare(CONTRACT)).toBeUndefined();
  return opened;
}

test("a scan that is refused says so, and that it may be tried again", async () => {
  await sink.write(batchOf(CONTRACT, rows(2)));
  const isSearch: Rule["when"] = ({ path }) => path.endsWith("/_search");
  proxy.add({ when: isSearch, fault: { kind: "answer", status: 503 } });
  await expect(collect(sink.scan())).rejects.toMatchObject({
    problem: { code: "elasticsearch-busy", hint: expect.stringContaining("try again") },
  });
});

describe("413", () => {
  test("requests are halved until they pass, and stay that small", async () => {
    const most = 200_000;
    proxy.add({
      when: (asked) => isBulk(asked) && asked.sizeBytes > most,
      fault: { kind: "answer", status: 413 },
    });
    const operations = rows(4000, (id) => `${id} ${"x".repeat(400)}`);
    const first = await write(operations);
    expect(first.find(({ kind }) => kind !== "written")).toBeUndefined();
    const before = proxy.asked.length;
    await write(operations);
    const sizeOfAll = 4000 * 620;
    expect(proxy.asked.length - before).toBeLessThanOrEqual(Math.ceil(sizeOfAll / (most / 4)));
    expect(await sink.count()).toBe(4000);
  });

  test("a row too large by itself is rejected, the rest is written", async () => {
    proxy.add({
      when: (asked) => isBulk(asked) && asked.sizeBytes > 50_000,
      fault: { kind: "answer", status: 413 },
    });
    const operations = rows(9, (id) => (id === 4 ? "x".repeat(60_000) : "short"));
    const outcomes = await write(operations);
    expect(kinds(outcomes)).toEqual(operations.map((_, id) => (id === 4 ? "reject" : "written")));
    expect(outcomes[4]).toMatchObject({ reason: expect.stringContaining("bytes, more than") });
  });
});

describe("the server's own refusals", () => {
  test("an index closed for writing halts with the way to open it", async () => {
    await scratch.ask("PUT", `/${scratch.read}-000001/_settings`, { "index.blocks.write": true });
    expect(await write(rows(2))).toMatchObject(
      [0, 1].map(() => ({ kind: "halt", problem: { code: "elasticsearch-read-only" } })),
    );
  });

  test("the block of a full disk is waited out", async () => {
    // What the server sets by itself at the flood stage.
    await scratch.ask("PUT", `/${scratch.read}-000001/_settings`, {
      "index.blocks.read_only_allow_delete": true,
    });
    expect(await write(rows(2))).toMatchObject(
      [0, 1].map(() => ({ kind: "retryAfter", problem: { code: "elasticsearch-disk-full" } })),
    );
    await scratch.ask("PUT", `/${scratch.read}-000001/_settings`, {
      "index.blocks.read_only_allow_delete": null,
    });
    expect(kinds(await write(rows(2)))).toEqual(["written", "written"]);
  });

  const INDEX = (): string => `${scratch.read}-000001`;
  test.each<[string, () => Promise<object>]>([
    ["that somebody closed", () => scratch.ask("POST", `/${INDEX()}/_close`)],
    [
      "with an ingest pipeline that is not there",
      () => scratch.ask("PUT", `/${INDEX()}/_settings`, { "index.default_pipeline": "not-there" }),
    ],
    [
      "whose alias takes no writes",
      () =>
        scratch.ask("POST", "/_aliases", {
          actions: [{ add: { index: INDEX(), alias: `${INDEX()}-write`, is_write_index: false } }],
        }),
    ],
  ])("an index %s halts: no record is at fault", async (_, spoil) => {
    await spoil();
    expect(await write(rows(2))).toMatchObject(
      [0, 1].map(() => ({ kind: "halt", problem: { code: "elasticsearch-index-unusable" } })),
    );
  });

  test("an index that is gone halts, and is not made again by a write", async () => {
    await scratch.ask("DELETE", `/${scratch.read}-000001`);
    expect(await write(rows(2))).toMatchObject(
      [0, 1].map(() => ({ kind: "halt", problem: { code: "elasticsearch-index-missing" } })),
    );
    expect(await scratch.ask("GET", `/${scratch.read}-*`)).toEqual({});
  });

  // Kafka's TLS listener serves as a node whose certificate nobody here has signed.
  test.skipIf(servers.kafkaTls === undefined)(
    "a certificate that is not trusted halts with the setting it is",
    async () => {
      const nodes = [`https://${servers.kafkaTls ?? ""}`];
      const stranger = await scratch.open({ connection: { ...scratch.options.connection, nodes } });
      expect(await stranger.prepare(CONTRACT)).toMatchObject({
        code: "elasticsearch-tls",
        message: expect.stringContaining("self-signed certificate"),
        hint: expect.stringContaining("elasticsearch.tls"),
      });
      await stranger.close();
    },
  );
});
