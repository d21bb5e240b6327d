import { readWholeLog } from "#promote/sync/embedded/file-source.ts";
import { openFileLogWriter } from "#promote/sync/embedded/file-log.ts";
import type { NewRecord } from "#promote/sync/embedded/frames.ts";
import { freshPlace, specOf, until, type FixturePlace } from "#promote/sync/fixture.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";

const RECORDS = 600_000;
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
        bar: 150_000,
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
  for await (const records of readWholeLog(place.topic("flights"))) {
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

/** New flights with a tenth of corrections, some cancellations. */
async function writeTopic(place: FixturePlace): Promise<void> {
  const log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  for (let from = 0; from < RECORDS; from += 5000) {
    unwrap(await log.append(Array.from({ length: 5000 }, (_, i) => flight(from + i))));
  }
  await log.close();
}

function flight(n: number): NewRecord {
  const id = n % 10 === 7 ? (n * 7919) % n : n;
  const key = Buffer.from(String(id));
  if (n % 50 === 49) return { key, value: null, timestampMs: n };
  const minute = String(n % 60).padStart(2, "0");
  const value = {
    id,
    date: `2001-04-0${1 + (n % 9)}T${10 + (n % 14)}:${minute}:00`,
    delay: (n % 90) - 20,
    distance: 100 + (n % 2900),
    origin: AIRPORTS[n % 7],
    destination: AIRPORTS[n % 5],
  };
  return { key, value: Buffer.from(JSON.stringify(value)), timestampMs: n };
}

const AIRPORTS = ["DEN", "SFO", "ORD", "JFK", "MSY", "SEA", "BOS"];
