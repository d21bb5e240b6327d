import { afterEach, expect, test } from "vitest";
import { listEpochs } from "#promote/sync/order/epochs.ts";
import { DELAYS_OUTPUT, until } from "#promote/sync/fixture.ts";
import { listRewrites } from "#promote/sync/rewrites/rewrites.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { servers } from "./addresses.ts";
import { expectedOf, expectSinks, expectVerified, livingOf } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";

let stage: Stage;
afterEach(() => stage.remove());

test(
  "a release that makes a column another type: readers see the old index until the new one is filled, then the new one, and no moment without; back again likewise",
  { timeout: 600_000 },
  async () => {
    stage = await openStage(2);
    const options = { count: 7000, partitions: 2, startMs: Date.now() };
    const { records } = flightsOf(seeded(SEED), options);
    const old = await stage.spec({ sinks: ["search"] });
    const next = await stage.spec({
      sinks: ["search"],
      release: "release-2",
      apply: '(f) => f.delay < -20 ? null : { ...f, late: f.delay > 15 ? "late" : "on time" }',
      output: DELAYS_OUTPUT.map((column) =>
        column.name === "late" ? { ...column, type: "VARCHAR" } : column,
      ),
    });
    const worker = stage.worker();
    await worker.start(old);
    await stage.send(records.slice(0, 4000));
    await worker.until("the old release is up to date", () => stage.committed() === 4000);
    await seesOnly("boolean");

    const sync = openSync(stage.place);
    const [plan] = unwrap(await sync.plan(next));
    expect(plan?.changes.join("\n")).toMatch(/PUT \/\S+-000002 /);
    expect(plan?.readers).toEqual([expect.stringMatching(/a new index, \S+-000002\./)]);
    await worker.start(next);
    await stage.send(records.slice(4000, 6000));
    await worker.until("the new release is up to date", () => stage.committed() === 6000);
    // What came since is in the new index; people still read the old one, whole as it was.
    await seesOnly("boolean");
    await saysOfReaders(/^People read \S+-000001, which receives nothing any more: \S+-000002 is/);

    const asked = unwrap(await sync.backfill(next));
    expect(asked).toEqual({ partitions: 2, records: 6000 });
    let looks = 0;
    await until("the backfill is done", async () => {
      // Whichever index they are at: people never find a mix of both, nor nothing.
      expect(await typesSeen()).toHaveLength(1);
      looks++;
      const rewrites = listRewrites(stage.state(), next);
      return rewrites.length === 2 && rewrites.every(({ state }) => state === "done");
    });
    expect(looks).toBeGreaterThan(0);
    await until("readers are turned", async () => (await typesSeen())[0] === "string");
    await saysOfReaders(undefined);

    const living = livingOf(await expectedOf(stage, next), next);
    expect(living.size).toBeGreaterThan(1000);
    await expectSinks(stage, next, living, `seed ${SEED}`);
    await expectVerified(stage, next, living, `seed ${SEED}`);
    expect(await countSeen()).toBe(living.size);
    expect(new Set(listEpochs(stage.state(), next).map(({ reason }) => reason))).toEqual(
      new Set(["start", "release", "backfill"]),
    );

    // Back: the old release writes to its own index again, which nobody reads until it is filled.
    const [back] = unwrap(await sync.plan(old));
    expect(back?.changes).toEqual([]);
    expect(back?.readers).toEqual([
      expect.stringMatching(/to \S+-000001, which lacks .* People go on reading \S+-000002, /),
    ]);
    await worker.start(old);
    await stage.send(records.slice(6000));
    await worker.until("the old release is up to date", () => stage.committed() === 7000);
    await seesOnly("string");
    await saysOfReaders(/^People read \S+-000002, which receives nothing any more: \S+-000001 is/);
    for (const generation of [1, 2])
      expect(await sync.actOnGeneration(old, "drop", generation)).toMatchObject({ ok: false });
    unwrap(await sync.backfill(old));
    await until("readers are turned back", async () => (await typesSeen())[0] === "boolean");
    await saysOfReaders(undefined);
    const restored = livingOf(await expectedOf(stage, old), old);
    await expectSinks(stage, old, restored, `seed ${SEED}`);
    await expectVerified(stage, old, restored, `seed ${SEED}`);
    expect(await countSeen()).toBe(restored.size);
    unwrap(await sync.actOnGeneration(old, "drop", 2));
    expect(unwrap(await sync.generations(old))).toMatchObject([
      { generation: 1, rows: restored.size, isRead: true, isWritten: true },
    ]);
    await worker.close();
    await sync.close();

    /** What a status says of people who read something else than what is written. */
    async function saysOfReaders(wanted: RegExp | undefined): Promise<void> {
      await until(`the status says ${String(wanted)}`, () => {
        const [sink] = sync.status().flatMap(({ sinks }) => sinks);
        if (sink === undefined) return false;
        return wanted === undefined ? sink.readers === undefined : wanted.test(sink.readers ?? "");
      });
    }

    /** How `late` is written in what a search finds. */
    async function typesSeen(): Promise<string[]> {
      const hits = await search({ size: 1000, _source: ["late"] });
      return [...new Set(hits.map(({ _source }) => typeof _source.late))];
    }

    async function seesOnly(type: string): Promise<void> {
      await until(`readers see ${type}`, async () => {
        const types = await typesSeen();
        return types.length === 1 && types[0] === type;
      });
    }

    async function search(body: object): Promise<{ _source: { late: unknown } }[]> {
      const { hits } = (await ask("_search", body)) as {
        hits: { hits: { _source: { late: unknown } }[] };
      }; // Elasticsearch's own shape
      return hits.hits;
    }

    async function countSeen(): Promise<number> {
      return ((await ask("_count")) as { count: number }).count; // Elasticsearch's own shape
    }

    async function ask(path: string, body: object = {}): Promise<unknown> {
      if (old.where.kind !== "servers") throw new Error("not on servers");
      const alias = `${old.where.elasticsearch?.prefix}${old.name}`;
      const at = `http://${servers.elasticsearch}/${alias}`;
      await fetch(`${at}/_refresh`, { method: "POST" });
      const answer = await fetch(`${at}/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      return answer.json();
    }
  },
);
