import { afterEach, expect, test } from "vitest";
import { until } from "#promote/sync/fixture.ts";
import { openSync, type PipelineSpec, type Sync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { streamSchema } from "#snapshots/stream-settings.ts";
import { recordOf, seeded, valueOf } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";

const PARTITIONS = 4;
const FLIGHTS = 400;

let stage: Stage;
const open: Sync[] = [];
afterEach(async () => {
  for (const sync of open.splice(0)) await sync.close();
  await stage.remove();
});

function openWorker(): Sync {
  const sync = openSync(stage.place);
  open.push(sync);
  return sync;
}

/** Every partition gets a flight; of `delay` where it is given. */
async function fly(from: number, to: number, delay?: number, partition?: number): Promise<void> {
  const random = seeded(SEED + from);
  const records = Array.from({ length: to - from }, (_, i) => {
    const value = valueOf(from + i, random);
    return recordOf(from + i, delay === undefined ? value : { ...value, delay }, PARTITIONS);
  });
  const into = partition === undefined ? {} : { partition };
  await stage.send(records.map((record) => ({ ...record, ...into, timestampMs: Date.now() })));
}

async function specWith(max: number): Promise<PipelineSpec> {
  const range = { column: "delay", max };
  const expectations = [{ name: "no day late", severity: "halt", range }];
  return stage.spec({ stream: streamSchema.parse({ expectations }) });
}

async function membersOf({ environment, name }: PipelineSpec): Promise<number> {
  const { groups } = await stage.kafka.describeGroups([`penstock.${environment}.${name}`]);
  return groups.flatMap(({ members }) => members).length;
}

test(
  "what halts a pipeline halts each of its workers; none stays in the group, where a newcomer would wait for it; a resume resumes them all",
  { timeout: 300_000, retry: 0 },
  async () => {
    stage = await openStage(PARTITIONS);
    const spec = await specWith(1439);
    const [first, second] = [openWorker(), openWorker()] as const;
    const both = [first, second];
    const stateOf = (sync: Sync): string | undefined => sync.reports()[0]?.state;
    for (const sync of both) unwrap(await sync.start(spec));
    await until("each reads half", () =>
      both.every((sync) => sync.reports()[0]?.partitions.length === PARTITIONS / 2),
    );
    await fly(0, FLIGHTS);
    await until("all is written", () => stage.committed() === FLIGHTS);

    await fly(FLIGHTS, FLIGHTS + 1, 2000);
    await until("both are halted", () => both.every((sync) => stateOf(sync) === "halted"));
    for (const sync of both)
      expect(sync.reports()[0]?.problem).toMatchObject({ code: "expectation-failed" });
    await until("they have left the group", async () => (await membersOf(spec)) === 0);
    const { expectations } = first.quality(spec.environment, spec.name);
    expect(expectations.reduce((sum, { failed }) => sum + failed, 0)).toBe(1);
    await fly(FLIGHTS + 1, 2 * FLIGHTS);
    await until("what came since is behind, each once", () =>
      both.every((sync) => sync.status()[0]?.lag === FLIGHTS),
    );

    const third = openWorker();
    unwrap(await third.start(await specWith(5000)));
    await until("a newcomer that minds it not reads on", () => stage.committed() === 2 * FLIGHTS);
    expect(both.map(stateOf)).toEqual(["halted", "halted"]);

    unwrap(await third.resume(spec.environment, spec.name));
    const all = [...both, third];
    const held = (sync: Sync): number[] =>
      sync.reports()[0]?.partitions.map(({ partition }) => partition) ?? [];
    await until("all read", () => all.every((sync) => held(sync).length > 0));
    await fly(2 * FLIGHTS, 3 * FLIGHTS);
    await until("all of it is written", () => stage.committed() === 3 * FLIGHTS);
    expect(all.map(stateOf)).toEqual(["running", "running", "running"]);

    await fly(3 * FLIGHTS, 3 * FLIGHTS + 1, 9000, held(third)[0]);
    await until("all are halted", () => all.every((sync) => stateOf(sync) === "halted"));
  },
);
