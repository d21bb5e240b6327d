import { setTimeout as delay } from "node:timers/promises";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { STOPPED, unlessStopped } from "../unless-stopped.ts";
import { openFileLogWriter } from "./file-log.ts";
import { openFlights, type Flight, type Flights } from "./demo-flights.ts";
import { planRecord, type Planned } from "./demo-plan.ts";
import type { NewRecord } from "./frames.ts";

export type DemoFeedOptions = {
  /** The workspace's copy of `flights-3m.parquet`. */
  parquet: string;
  /** Flights from this date on, where the demo's snapshot ends. */
  from?: string;
  recordsPerSecond?: number;
  seed?: number;
  /** Ends after this many records; the file's end otherwise. */
  limit?: number;
};

export type DemoFeed = {
  /** Records in the topic, its own end. */
  sent(): number;
  /** Set while appending fails; the feed tries again. */
  problem(): Problem | undefined;
  /** Resolves when the flights are all told, or after `stop`. */
  done: Promise<void>;
  stop(): Promise<void>;
};

/** Where the feed goes. `end` is what the next record is the n-th of; a topic has one feed. A feed that stops closes it without waiting for `append`. */
export type FeedTopic = {
  end(): number;
  append(records: readonly NewRecord[]): Promise<Result<unknown>>;
  close(): Promise<void>;
};

const TICK_MS = 100;
/** After a sleep of the machine the feed goes on at its rate; it does not make up for the night. */
const MOST_AT_ONCE = 5000;

/**
 * Feeds a topic in a folder, e.g. `.penstock/topics/flights`. It has one writer: `log-in-use` if another lives.
 */
export async function startDemoFeed({
  topic,
  ...options
}: DemoFeedOptions & { topic: string }): Promise<Result<DemoFeed>> {
  const opened = await openFileLogWriter(topic, { fsync: "always" });
  return opened.ok ? ok(feedTopic(opened.value, options)) : opened;
}

/**
 * Appends the flights after the snapshot's end to a topic as if live, with later corrections, cancellations, repeats, late ones and now and
 * then a broken field (demo-plan.ts). Goes on from the topic's own end after any kind of stop.
 */
export function feedTopic(log: FeedTopic, options: DemoFeedOptions): DemoFeed {
  const { recordsPerSecond = 300, seed = 2001, from = "2001-04-01" } = options;
  const stop = new AbortController();
  let problem: Problem | undefined;

  async function run(): Promise<void> {
    const flights = await openFlights(options.parquet, from);
    let since = performance.now();
    let owed = 0;
    try {
      while (!stop.signal.aborted) {
        const now = performance.now();
        owed = Math.min(MOST_AT_ONCE, owed + ((now - since) * recordsPerSecond) / 1000);
        since = now;
        const count = Math.min(Math.floor(owed), (options.limit ?? Infinity) - log.end());
        const records = count > 0 ? await recordsFrom(flights, seed, log.end(), count) : [];
        if (count > 0 && records.length === 0) return;
        if (log.end() >= (options.limit ?? Infinity)) return;
        const appended =
          records.length === 0
            ? undefined
            : await unlessStopped<Result<unknown>>(log.append(records), stop.signal, fail(STOPPED));
        problem = appended?.ok === false ? appended.problem : undefined;
        if (problem === undefined) owed -= records.length;
        await delay(problem === undefined ? TICK_MS : 1000, undefined, {
          signal: stop.signal,
        }).catch(() => undefined);
      }
    } finally {
      flights.close();
    }
  }

  const done = runAndClose();

  async function runAndClose(): Promise<void> {
    try {
      await run();
    } catch (cause) {
      problem = {
        code: "demo-feed-stopped",
        message: `The demo's feed stopped: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: "Check that the workspace's data/flights-3m.parquet is whole, then start again.",
      };
    } finally {
      await log.close();
    }
  }

  return {
    sent: () => log.end(),
    problem: () => problem,
    done,
    async stop() {
      stop.abort();
      await done;
    },
  };
}

/** Records `first`… of the plan; fewer at the end of the flights, none beyond it. */
export async function recordsFrom(
  flights: Flights,
  seed: number,
  first: number,
  count: number,
): Promise<NewRecord[]> {
  const plans = Array.from({ length: count }, (_, i) => planRecord(seed, first + i));
  const known = await flights.get(plans.map((plan) => plan.flight));
  const timestampMs = Date.now();
  const records: NewRecord[] = [];
  for (const plan of plans) {
    const flight = known.get(plan.flight);
    if (flight === undefined) break;
    records.push({ ...recordOf(plan, flight), timestampMs });
  }
  return records;
}

function recordOf(plan: Planned, flight: Flight): Pick<NewRecord, "key" | "value"> {
  const key = Buffer.from(String(flight.id));
  if (plan.kind === "cancellation") return { key, value: null };
  const delayMinutes = plan.kind === "correction" ? flight.delay + plan.delayChange : flight.delay;
  return {
    key,
    value: Buffer.from(JSON.stringify({ ...flight, delay: plan.isBroken ? "N/A" : delayMinutes })),
  };
}
