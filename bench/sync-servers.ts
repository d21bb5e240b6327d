import { median, type Benchmark, type Measurement } from "./bench.ts";
import { feed, fill } from "./servers/feed.ts";
import type { Measured } from "./servers/meter.ts";
import { openServersPlace, type ServersPlace } from "./servers/place.ts";
import { openSide, type Side } from "./servers/side.ts";
import type { Task } from "./servers/task.ts";
import { seesGuest } from "./servers/usage.ts";

const PARTITIONS = 4;
const ROUNDS = 3;
const LATENCY_SECONDS = { warm: 10, measured: 20 };
/** What shows that a side is running before it is fed. */
const FIRST = 1000;

/** A pipeline and a loop written by hand, each in a process of its own. */
type Sides = { pipeline: Side; bare: Side };
type Way = Pick<Task, "to" | "warm" | "total">;

const TO_SINKS: Way = { to: "table and index", warm: 20_000, total: 120_000 };
const TO_TOPIC: Way = { to: "topic", warm: 60_000, total: 360_000 };
const LONG: Way = { to: "topic", warm: 600_000, total: 2_600_000 };

export const rows: Benchmark[] = [{ name: "sync with real servers", run }];

/**
 * Kafka → transform → Cassandra and Elasticsearch, or Kafka, beside a loop over the same topic with the same clients and nothing in between
 * (bare-loop.ts), in turn, each run into fresh tables. The first round only warms.
 */
async function run(): Promise<Measurement[]> {
  const place = await openServersPlace();
  if (typeof place === "string") {
    console.log(`The rows of sync with real servers are left out: ${place}`);
    return [];
  }
  const sides: Sides = {
    pipeline: openSide(new URL("servers/pipeline.ts", import.meta.url)),
    bare: openSide(new URL("servers/bare-loop.ts", import.meta.url)),
  };
  try {
    const toSinks = await inTurn(place, sides, TO_SINKS);
    const perSecond = median(toSinks.pipeline.map((measured) => measured.perSecond)) / 2;
    return [
      ...throughput("Kafka → Cassandra + Elasticsearch", toSinks, 0.8),
      ...figures("Kafka → Cassandra + Elasticsearch", toSinks),
      ...(await latency(place, sides, perSecond)),
      ...throughput("Kafka → Kafka", await inTurn(place, sides, TO_TOPIC), 0.6),
      await flatness(place),
    ];
  } finally {
    await sides.pipeline.close();
    await sides.bare.close();
    await place.remove();
  }
}

type Rounds = { pipeline: Measured[]; bare: Measured[] };

async function inTurn(place: ServersPlace, { pipeline, bare }: Sides, way: Way): Promise<Rounds> {
  const topic = place.freshName();
  await place.createTopic(topic, PARTITIONS);
  await fill(place.producer, topic, way.total);
  const rounds: Rounds = { pipeline: [], bare: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    const loop = await runOnce(place, bare, topic, way);
    const measured = await runOnce(place, pipeline, topic, way);
    if (round === 0) continue;
    rounds.bare.push(loop);
    rounds.pipeline.push(measured);
  }
  return rounds;
}

async function runOnce(
  place: ServersPlace,
  side: Side,
  topic: string,
  way: Way,
  onFirst?: () => void,
): Promise<Measured> {
  const name = place.freshName();
  if (way.to === "topic") await place.createTopic(name, PARTITIONS, "compact");
  const measured = await side.run({ ...place.connections, ...way, topic, name }, onFirst);
  await place.drop(name);
  return measured;
}

function throughput(label: string, { pipeline, bare }: Rounds, least: number): Measurement[] {
  const value = median(pipeline.map((measured) => measured.perSecond));
  const reference = median(bare.map((measured) => measured.perSecond));
  const ratio = value / reference;
  return [
    { label: `${label} / bare loop`, value, unit: "records/s", reference, ratio, bar: { least } },
  ];
}

function figures(label: string, { pipeline, bare }: Rounds): Measurement[] {
  const cpu = ({ cpuSecondsPer100k }: Measured): number => cpuSecondsPer100k;
  const peak = ({ peakBytes }: Measured): number => peakBytes / 1e6;
  const own = seesGuest ? "with its guest" : "without its guest";
  return [
    {
      label: `${label}, CPU ${own} per 100,000 records`,
      value: median(pipeline.map(cpu)),
      unit: "s",
      reference: median(bare.map(cpu)),
      bar: { most: 6.2 },
    },
    {
      label: `${label}, peak memory ${own}`,
      value: Math.max(...pipeline.map(peak)),
      unit: "MB",
      reference: Math.max(...bare.map(peak)),
    },
  ];
}

/** At half the rate that the pipeline can do: from a record's time to its commit, each side in turn. The first round only warms. */
async function latency(
  place: ServersPlace,
  { pipeline, bare }: Sides,
  perSecond: number,
): Promise<Measurement[]> {
  const warm = Math.round(perSecond * LATENCY_SECONDS.warm);
  const total = warm + Math.round(perSecond * LATENCY_SECONDS.measured);
  const p99 = async (side: Side): Promise<number> => {
    const topic = place.freshName();
    await place.createTopic(topic, PARTITIONS);
    await fill(place.producer, topic, FIRST);
    const way: Way = { to: "table and index", warm: FIRST + warm, total: FIRST + total };
    const first = Promise.withResolvers<void>();
    const running = runOnce(place, side, topic, way, first.resolve);
    await Promise.race([first.promise, running]);
    await feed(place.producer, topic, { count: total, perSecond });
    return (await running).p99Ms;
  };
  const rounds: { pipeline: number[]; bare: number[] } = { pipeline: [], bare: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    const loop = await p99(bare);
    const measured = await p99(pipeline);
    if (round === 0) continue;
    rounds.bare.push(loop);
    rounds.pipeline.push(measured);
  }
  const label = `Kafka → Cassandra + Elasticsearch, p99 to the commit at ${Math.round(perSecond).toLocaleString("en-US")} records/s`;
  const unit = "ms";
  return [
    {
      label: `${label}, median of ${ROUNDS}`,
      value: median(rounds.pipeline),
      unit,
      reference: median(rounds.bare),
      bar: { most: 500 },
    },
    {
      label: `${label}, worst of ${ROUNDS}`,
      value: Math.max(...rounds.pipeline),
      unit,
      reference: Math.max(...rounds.bare),
    },
  ];
}

/** Two million records, to a topic: tables would take ten times as long. How far any tenth's mean memory is from the whole's. */
async function flatness(place: ServersPlace): Promise<Measurement> {
  const topic = place.freshName();
  await place.createTopic(topic, PARTITIONS);
  await fill(place.producer, topic, LONG.total);
  const side = openSide(new URL("servers/pipeline.ts", import.meta.url));
  try {
    const { bytesInTenths } = await runOnce(place, side, topic, LONG);
    const mean = bytesInTenths.reduce((sum, bytes) => sum + bytes, 0) / bytesInTenths.length;
    const furthest = Math.max(...bytesInTenths.map((bytes) => Math.abs(bytes / mean - 1)));
    return {
      label: "Kafka → Kafka, memory over 2,000,000 records, furthest from its mean",
      value: furthest * 100,
      unit: "%",
      bar: { most: 10 },
    };
  } finally {
    await side.close();
  }
}
