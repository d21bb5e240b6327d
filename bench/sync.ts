import { openFileTopicReader } from "#promote/sync/embedded/file-reader.ts";
import { openFileLogWriter } from "#promote/sync/embedded/file-log.ts";
import { freshPlace, specOf, until, type FixturePlace } from "#promote/sync/fixture.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";
import { flightRecords } from "./flights.ts";

const RECORDS = 400_000;
/** The guest, the decoder and both sinks are warm after this many. */
const WARM = 100_000;
const ROUNDS = 3;

export const rows: Benchmark[] = [{ name: "embedded sync", run }];

/** File log → decode → guest → two DuckDB sinks → commit, against reading the same log and parsing its JSON alone. */
async function run(): Promise<Measurement[]> {
  const place = freshPlace();
  try {
    await writeTopic(place);
    const bare: number[] = [];
    const embedded: number[] = [];
    const cpuSeconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      bare.push(await readBare(place));
      const { perSecond, cpuPer100k } = await runPipeline(place, `round${round}`);
      embedded.push(perSecond);
      cpuSeconds.push(cpuPer100k);
    }
    const value = median(embedded);
    const reference = median(bare);
    return [
      {
        label: "embedded sync / bare log read + JSON.parse (at least)",
        value,
        unit: "records/s",
        reference,
        ratio: value / reference,
      },
      {
        label: "embedded sync, log to both sinks (at least)",
        value,
        unit: "records/s",
        bar: { least: 150_000 },
      },
      {
        label: "embedded sync, CPU without the guest per 100,000 records",
        value: median(cpuSeconds),
        unit: "s",
      },
    ];
  } finally {
    place.remove();
  }
}

async function readBare(place: FixturePlace): Promise<number> {
  const startedAt = performance.now();
  let parsed = 0;
  const reader = openFileTopicReader(place.workspace.paths.topics);
  for await (const records of reader.read("flights", 0, 0, Infinity)) {
    for (const { value } of records) {
      if (value !== null)
        JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString());
      parsed++;
    }
  }
  return (parsed / (performance.now() - startedAt)) * 1000;
}

async function runPipeline(
  place: FixturePlace,
  name: string,
): Promise<{ perSecond: number; cpuPer100k: number }> {
  const spec = await specOf(place, { name });
  const sync = openSync(place);
  const offset = (): number => {
    const [status] = sync.status();
    if (status?.state === "halted") throw new Error(status.problem?.message);
    return status?.offset ?? 0;
  };
  unwrap(await sync.start(spec));
  await until("warm", () => offset() >= WARM);
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const from = offset();
  await until("all records", () => offset() === RECORDS, 120_000);
  const records = RECORDS - from;
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - startedAt) / 1000;
  await sync.close();
  return { perSecond: records / seconds, cpuPer100k: ((user + system) / 1e6 / records) * 100_000 };
}

async function writeTopic(place: FixturePlace): Promise<void> {
  const log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  for await (const records of flightRecords(RECORDS)) unwrap(await log.append(records));
  await log.close();
}
