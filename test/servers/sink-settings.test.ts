import { Client } from "cassandra-driver";
import { afterEach, expect, test } from "vitest";
import { withServers } from "#promote/environment-edits.ts";
import { parseEnvironment } from "#promote/environments.ts";
import { pipelineSpec } from "#promote/pipeline-spec.ts";
import { DELAYS_OUTPUT, FLIGHT, until } from "#promote/sync/fixture.ts";
import { listRewrites } from "#promote/sync/rewrites/rewrites.ts";
import { openSync, type PipelineSpec } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { servers } from "./addresses.ts";
import { recordOf, seeded, valueOf } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";

let stage: Stage;
afterEach(() => stage.remove());

const COUNT = 200;

test(
  "what an environment's file says of a sink holds there: routing and gcGraceSeconds, also when they change",
  { timeout: 300_000 },
  async () => {
    stage = await openStage(1);
    const random = seeded(SEED);
    const flights = (delay: number) =>
      Array.from({ length: COUNT }, (_, id) => {
        const origin = id % 2 === 0 ? "DEN" : "SFO";
        return recordOf(id, { ...valueOf(id, random), origin, delay }, 1);
      });
    const first = await specBy("routing: origin, gcGraceSeconds: 2592000");
    const worker = stage.worker();
    await worker.start(first);
    await stage.send(flights(1));
    await worker.until("all is written", () => stage.committed() === COUNT);
    expect(await documents("-000001")).toEqual(placed((id) => (id % 2 === 0 ? "DEN" : "SFO"), 1));
    expect(await gcGraceSeconds()).toBe(2_592_000);

    // Another routing would put a row's next version on another shard, beside the one before: it begins another index.
    const second = await specBy("routing: id, gcGraceSeconds: 3456000");
    const sync = openSync(stage.place);
    const changes = unwrap(await sync.plan(second)).flatMap((plan) => plan.changes);
    expect(changes).toEqual([
      expect.stringMatching(/^alter table \S+ with gc_grace_seconds = 3456000$/),
      expect.stringMatching(/^PUT \/\S+-000002 /),
    ]);
    await worker.start(second);
    await stage.send(flights(2).slice(0, COUNT / 2));
    await worker.until("what came is written", () => stage.committed() === COUNT * 1.5);
    expect(await gcGraceSeconds()).toBe(3_456_000);
    expect(await documents("-000002")).toEqual(placed(String, 2).slice(0, COUNT / 2));
    expect(await documents("")).toEqual(placed((id) => (id % 2 === 0 ? "DEN" : "SFO"), 1));

    unwrap(await sync.backfill(second));
    await until("readers are turned", async () => {
      const done = listRewrites(stage.state(), second).every(({ state }) => state === "done");
      return done && (await documents("")).some(({ routing }) => routing === "1");
    });
    expect(await documents("")).toEqual(
      placed(String, 2).map((one) => (one.id < COUNT / 2 ? one : { ...one, delay: 1 })),
    );

    await worker.start(await specBy("routing: delay"));
    await worker.stands("halted", () => worker.seen().state === "halted");
    expect(worker.seen().problem).toMatchObject({
      code: "elasticsearch-routing",
      message: expect.stringContaining("`delay`"),
    });
    await worker.close();
    await sync.close();
  },
);

/** By the environment's file, as a person writes it. */
async function specBy(settings: string): Promise<PipelineSpec> {
  const { name, bundle } = await stage.spec({ key: ["id", "origin"] });
  const release = "ab".repeat(32);
  if (stage.straight.kind !== "servers") throw new Error("not on servers");
  const { kind: _, ...where } = stage.straight;
  const text = `kind: embedded
pipelines:
  delays: { release: ${release}, topic: ${stage.topic}, sinks: [table, search], ${settings} }
`;
  const environment = unwrap(parseEnvironment("faults", withServers(text, where)));
  const pipeline = environment.pipelines["delays"];
  if (pipeline === undefined) throw new Error("the file names no pipeline");
  const spec = pipelineSpec(environment, pipeline, {
    transform: "delays",
    hash: release,
    bundle,
    manifest: {
      input: { columns: FLIGHT, identity: ["id", "origin"] },
      output: { columns: DELAYS_OUTPUT, maxParts: 1 },
      lookups: {},
    },
  });
  // Nothing of anyone else's.
  return { ...spec, name };
}

type Placed = { id: number; delay: number; routing: string | undefined };

function placed(routing: (id: number) => string, delay: number): Placed[] {
  return Array.from({ length: COUNT }, (_, id) => ({ id, delay, routing: routing(id) }));
}

/** Of an index, or of what people read. */
async function documents(index: string): Promise<Placed[]> {
  const { where, name } = await stage.spec();
  if (where.kind !== "servers") throw new Error("not on servers");
  const at = `http://${servers.elasticsearch}/${where.elasticsearch?.prefix}${name}${index}`;
  await fetch(`${at}/_refresh`, { method: "POST" });
  const answer = await fetch(`${at}/_search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ size: 1000, sort: ["id"] }),
  });
  const { hits } = (await answer.json()) as {
    hits: { hits: { _routing?: string; _source: { id: number; delay: number } }[] };
  }; // Elasticsearch's own shape
  return hits.hits.map(({ _routing, _source: { id, delay } }) => ({
    id,
    delay,
    routing: _routing,
  }));
}

async function gcGraceSeconds(): Promise<unknown> {
  const { where, name } = await stage.spec();
  if (where.kind !== "servers") throw new Error("not on servers");
  const { contactPoints = [], localDataCenter = "", keyspace = "" } = where.cassandra ?? {};
  const client = new Client({ contactPoints, localDataCenter });
  const found = await client.execute(
    "select gc_grace_seconds from system_schema.tables where keyspace_name = ? and table_name = ?",
    [keyspace, name],
  );
  await client.shutdown();
  return found.first()["gc_grace_seconds"];
}
