import { Counter, Histogram, type Registry } from "prom-client";
import type { DeadLetter } from "../dead-letters/dead-letters.ts";
import type { PipelineEvent } from "../events.ts";
import type { Tally } from "../expectations/expectations.ts";
import { sinkName, type PipelineSpec } from "../pipeline-spec.ts";
import { counters, endToEnd, histograms } from "./catalog.ts";
import { RecordHistogram } from "./record-histogram.ts";

type Committed = Extract<PipelineEvent, { kind: "committed" }>;

const REASONS = ["dead letters replayed", "repair", "backfill"];
const OUTCOMES = ["written", "filtered", "stale", "dead-lettered"];

/** Counts what happens. A batch costs some twenty increments, whatever its size; only the ages are looked at record by record. */
export type Observer = {
  observe(spec: PipelineSpec, event: PipelineEvent): void;
  ages: RecordHistogram;
  /** Set from reports when somebody asks (scrape.ts): there is no event of it. */
  guestRestarts: Counter;
};

export function openObserver(registry: Registry, nowMs: () => number): Observer {
  const registers = [registry];
  const count = mapValues(
    counters,
    ({ name, help, labels }) => new Counter({ name, help, labelNames: [...labels], registers }),
  );
  const spread = mapValues(
    histograms,
    ({ name, help, labels, buckets }) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
  );
  const ages = new RecordHistogram(endToEnd);

  /** At 0 from the start, so that the first of its kind is seen as an increase. */
  function begin(own: Labels, spec: PipelineSpec): void {
    const { written, filtered, stale, retracted, deadLettered, operations, guestRestarts } = count;
    for (const counter of [written, filtered, stale, retracted, guestRestarts]) counter.inc(own, 0);
    const sinks = spec.sinks.map(sinkName);
    for (const sink of sinks) operations.inc({ ...own, sink }, 0);
    for (const { name: expectation } of spec.stream.expectations)
      count.expectationFailures.inc({ ...own, expectation }, 0);
    for (const reason of REASONS)
      for (const outcome of OUTCOMES) count.rewritten.inc({ ...own, reason, outcome }, 0);
    for (const stage of ["decode", "validate", "transform", ...sinks.map((sink) => `sink:${sink}`)])
      deadLettered.inc({ ...own, stage }, 0);
  }

  function committed(own: Labels, { piece, counts, deadLetters, tallies }: Committed): void {
    const { topic, partition } = piece.stretch;
    const place = { ...own, topic, partition: String(partition) };
    count.commits.inc(place);
    count.read.inc(place, counts.read);
    count.written.inc(own, counts.written);
    count.filtered.inc(own, counts.filtered);
    count.stale.inc(own, counts.stale);
    count.retracted.inc(own, counts.retracted);
    for (const [stage, records] of recordsByStage(deadLetters))
      count.deadLettered.inc({ ...own, stage }, records);
    judged(own, tallies);
    spread.batchRecords.observe(own, piece.records.length);
    ages.addAges(own, piece.records, nowMs());
  }

  function judged(own: Labels, tallies: readonly Tally[]): void {
    for (const { expectation, checked, failed } of tallies) {
      count.expectationChecks.inc({ ...own, expectation }, checked);
      count.expectationFailures.inc({ ...own, expectation }, failed);
    }
  }

  return {
    ages,
    guestRestarts: count.guestRestarts,
    observe(spec, event) {
      const own = { environment: spec.environment, pipeline: spec.name };
      switch (event.kind) {
        case "state":
          if (event.state === "starting") begin(own, spec);
          break;
        case "read": {
          const { topic, partition, records } = event;
          count.polled.inc({ ...own, topic, partition: String(partition) }, records);
          break;
        }
        case "stage":
          spread.stageSeconds.observe({ ...own, stage: event.stage }, event.ms / 1000);
          break;
        case "write": {
          const { sink, operations, ms } = event;
          count.operations.inc({ ...own, sink }, operations);
          spread.writeOperations.observe({ ...own, sink }, operations);
          spread.stageSeconds.observe({ ...own, stage: "write", sink }, ms / 1000);
          break;
        }
        case "committed":
          committed(own, event);
          break;
        case "judged":
          judged(own, event.tallies);
          break;
        case "rewritten": {
          const { reason, counts } = event;
          count.rewritten.inc({ ...own, reason, outcome: "written" }, counts.written);
          count.rewritten.inc({ ...own, reason, outcome: "filtered" }, counts.filtered);
          count.rewritten.inc({ ...own, reason, outcome: "stale" }, counts.stale);
          count.rewritten.inc({ ...own, reason, outcome: "dead-lettered" }, counts.deadLettered);
          break;
        }
        case "backoff":
          if (event.problem !== undefined)
            count.retries.inc({ ...own, where: event.where, code: event.problem.code });
          break;
        case "assigned": {
          const { topic, partition } = event.epoch;
          const place = { ...own, topic, partition: String(partition) };
          for (const counter of [count.polled, count.read, count.commits]) counter.inc(place, 0);
          break;
        }
        case "revoked":
        case "epoch":
          break;
      }
    },
  };
}

type Labels = { environment: string; pipeline: string };

/** A record that several sinks refuse has a letter of each; it counts once, at the first, as in the pipeline's own counts. */
function recordsByStage(letters: readonly DeadLetter[]): Map<string, number> {
  const records = new Map<string, number>();
  const seen = new Set<number>();
  for (const { offset, stage } of letters) {
    if (seen.has(offset)) continue;
    seen.add(offset);
    records.set(stage, (records.get(stage) ?? 0) + 1);
  }
  return records;
}

function mapValues<K extends string, A, B>(of: Record<K, A>, map: (value: A) => B): Record<K, B> {
  const entries = Object.entries<A>(of).map(([key, value]) => [key, map(value)]);
  return Object.fromEntries(entries) as Record<K, B>; // the same keys, by construction
}
