import { afterEach, expect, test } from "vitest";
import { indexNames } from "#promote/sync/elasticsearch/index-names.ts";
import { until } from "#promote/sync/fixture.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { servers } from "./addresses.ts";
import { expectedOf, expectSinks, expectVerified, livingOf } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";

let stage: Stage;
afterEach(() => stage.remove());

const quiet = { signal: new AbortController().signal, onProgress: () => undefined };

test(
  "documents made by hand: verify counts each, whatever it is made of, and a repair leaves the index as the topic says",
  { timeout: 300_000 },
  async () => {
    stage = await openStage(1);
    const spec = await stage.spec({ sinks: ["search"] });
    if (spec.where.kind !== "servers") throw new Error("not on servers");
    const names = unwrap(indexNames(spec.where.elasticsearch?.prefix ?? "", spec.name));
    const { records } = flightsOf(seeded(SEED), { count: 600, partitions: 1, startMs: Date.now() });
    const worker = stage.worker();
    await worker.start(spec);
    await stage.send(records);
    await worker.until("it is up to date", () => stage.committed() === 600);
    const expected = await expectedOf(stage, spec);
    const living = livingOf(expected, spec);
    await expectVerified(stage, spec, living, `seed ${SEED}`);

    const [deleted] = [...expected.rows.values()].filter(({ values }) => values === null);
    const [first = "", second = "", third = ""] = [...living.keys()].map(String).map(idOfKey);
    const whole = await source(first);
    const own = { key: [1], part: 0, version: 1, topic: "t", partition: 0, offset: 0 };
    const foreign: [what: string, id: string, document: object][] = [
      ["a free identity's, without Penstock's fields", "900001", { delay: 1 }],
      ["a free identity's, of a part", "900002~p0", {}],
      ["of wrong types", "900003", { delay: "17", _penstock: { ...own, part: "0", offset: [1] } }],
      ["a version that is a fraction", "900004", { _penstock: { ...own, version: "1.5" } }],
      ["a partition beyond 32 bits", "900005", { _penstock: { ...own, partition: 2 ** 40 } }],
      ["Penstock's fields, empty", "900006", { _penstock: {} }],
      ["Penstock's fields, null", "900007", { _penstock: null }],
      ["no identity's", "by hand", { delay: 3 }],
      ["an id drawn by Elasticsearch", "kXy3-JQBx", {}],
      ["a hash of nothing", `~h${"0".repeat(64)}`, {}],
      ["a part no record has", "900008~p7", {}],
      ["a whole copy under another identity", "900009", whole],
      ["a whole copy under no identity", "copy", whole],
    ];
    for (const [what, id, document] of foreign)
      expect(await put(id, document), what).toMatchObject({ result: "created" });
    // And in place of the pipeline's own: a deleted one brought back, one without a trace of it, one gone.
    expect(await put(String(deleted?.key[0]), { delay: 2 })).toMatchObject({ result: "updated" });
    expect(await put(second, { delay: 12_345 })).toMatchObject({ result: "updated" });
    expect(await ask("DELETE", `_doc/${encodeURIComponent(third)}`)).toMatchObject({
      result: "deleted",
    });

    const sync = openSync(stage.place);
    const report = unwrap(await sync.verify(spec, { ...quiet, samples: 100 }));
    const [verdict] = report.sinks;
    expect(verdict?.counts).toMatchObject({
      left: living.size,
      right: living.size + foreign.length,
      equal: living.size - 2,
      changed: 1,
      added: foreign.length + 1,
      removed: 1,
      unverifiable: 0,
    });
    expect(verdict?.differences.flatMap(({ stray }) => stray ?? []).toSorted()).toEqual(
      ["900002~p0", "900008~p7", "by hand", "copy", "kXy3-JQBx", `~h${"0".repeat(64)}`].toSorted(),
    );

    const { plan } = unwrap(await sync.repair(spec, { ...quiet, isApplied: true }));
    expect(plan).toMatchObject({ strays: [{ sink: "search", documents: 6 }] });
    await until("repaired", () => {
      const rewrites = sync.rewrites(spec.environment, spec.name);
      return rewrites.length > 0 && rewrites.every(({ state }) => state === "done");
    });
    await worker.close();
    await sync.close();
    const healed = livingOf(await expectedOf(stage, spec), spec);
    expect(healed.size).toBe(living.size);
    await expectSinks(stage, spec, healed, `seed ${SEED}`);
    await expectVerified(stage, spec, healed, `seed ${SEED}`);
    await ask("POST", "_refresh");
    const counted = await fetch(`http://${servers.elasticsearch}/${names.read}/_count`);
    expect(await counted.json()).toMatchObject({ count: living.size });

    function put(id: string, document: object): Promise<object> {
      return ask("PUT", `_doc/${encodeURIComponent(id)}`, document);
    }

    async function source(id: string): Promise<object> {
      const found = await ask("GET", `_doc/${encodeURIComponent(id)}`);
      return (found as { _source: object })._source; // Elasticsearch's own shape
    }

    async function ask(method: string, path: string, body?: object): Promise<object> {
      const answer = await fetch(`http://${servers.elasticsearch}/${names.generation(1)}/${path}`, {
        method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return (await answer.json()) as object; // Elasticsearch's own shape
    }
  },
);

/** `[[42],0]`, as rows are known by, to the document's id. */
function idOfKey(text: string): string {
  const [[id]] = JSON.parse(text) as [[number], number];
  return String(id);
}
