import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { DeadLetter } from "../dead-letters/dead-letters.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import type { Epoch } from "../order/epochs.ts";
import { openReleaseGuest } from "../guest/guest.ts";
import { effectsOf, selectOperations } from "../pipeline/operations.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { Sink, SinkBatch, StoredRow, TopicReader } from "../ports.ts";
import { addCounts, NOTHING, type Counts } from "../order/progress.ts";
import type { ReleaseSpec } from "../release-spec.ts";
import type { Rewrite } from "../rewrites/rewrites.ts";
import { expectNothing, openRuntimes } from "../pipeline/runtimes.ts";
import { settleBatch, type Transformed } from "../pipeline/settle-batch.ts";
import { contractOf } from "../open/sink-plan.ts";
import { openSpecDecoder } from "../pipeline/spec-decoder.ts";
import { runTopic, type Cut } from "./topic-run.ts";
import { topicsOf } from "../topics-of.ts";
import { FIRST_EPOCH } from "../order/version.ts";

export type BatchRun = {
  /** Every row and tombstone the topic leaves, in key order. */
  rows(): AsyncIterable<StoredRow>;
  counts: Counts;
  deadLetters: DeadLetter[];
  close(): Promise<void>;
};

export type BatchRunPlace = {
  reader: TopicReader;
  store: ContentStore;
  root: string;
  /** As a pipeline opened them; one that spans the topic when absent. */
  epochs?: readonly Epoch[];
  rewrites?: readonly Rewrite[];
  readRelease?: (hash: string) => Result<ReleaseSpec>;
};

/**
 * The final state a batch run over a whole topic gives: everything is transformed first, the newest version of every (identity, part) is found in
 * memory, and each is written once. What the stream left must equal it.
 */
export async function batchRun(
  spec: PipelineSpec,
  place: BatchRunPlace,
): Promise<Result<BatchRun>> {
  const contract = contractOf(spec);
  if (!contract.ok) return contract;
  const readRelease = place.readRelease ?? unknownRelease;
  const runtimes = openRuntimes(
    {
      readRelease,
      widestParts: () => widest,
      openDecoder: (release) => openSpecDecoder({ ...spec, ...release }, undefined),
      openGuest: (release) => openReleaseGuest(release, place),
      openExpectations: expectNothing,
    },
    (hash) => (hash === spec.release ? spec : undefined),
  );
  const others = new Set(place.epochs?.map(({ release }) => release));
  const widest = [...others]
    .filter((release) => release !== spec.release)
    .map((release) => readRelease(release))
    .reduce((most, read) => Math.max(most, read.ok ? read.value.maxParts : 1), spec.maxParts);
  const directory = mkdtempSync(join(tmpdir(), "penstock-batch-"));
  const sink = await openDuckdbSink({ name: "batch", path: join(directory, "batch.duckdb") });
  const newest = openNewest();
  const { signal } = new AbortController();
  let counts = NOTHING;
  const deadLetters: DeadLetter[] = [];

  async function transformAll(): Promise<Problem | undefined> {
    for (const topic of await topicsOf(spec.topic, place.reader)) {
      const refused = await transformTopic(topic);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  async function transformTopic(topic: string): Promise<Problem | undefined> {
    const incarnation = (await place.reader.incarnation(topic)) ?? "";
    for (const { partition, first, end } of await place.reader.ranges(topic)) {
      const cut = { topic, incarnation, partition, from: first, to: end };
      const epochs = place.epochs ?? [spanning(spec, cut)];
      const parts = { reader: place.reader, runtimes, epochs, rewrites: place.rewrites ?? [] };
      for await (const item of runTopic({ ...parts, signal }, cut)) {
        const settled = await settleBatch([], item, {
          signal,
          random: () => 0,
          observe: () => undefined,
          at: "",
        });
        if ("code" in settled) return settled;
        for (const portion of settled) {
          counts = addCounts(counts, portion.counts);
          deadLetters.push(...portion.deadLetters);
        }
        newest.add(item);
      }
    }
    return undefined;
  }

  async function close(): Promise<void> {
    await runtimes.close();
    await sink.close();
    rmSync(directory, { recursive: true, force: true });
  }

  const problem =
    (await transformAll()) ?? (await sink.prepare(contract.value)) ?? (await newest.writeTo(sink));
  await runtimes.close();
  if (problem !== undefined) {
    await close();
    return fail(problem);
  }
  return ok({ rows: () => sink.scan(), counts, deadLetters, close });
}

function spanning(spec: PipelineSpec, { topic, incarnation, partition }: Cut): Epoch {
  return {
    topic,
    incarnation,
    partition,
    epoch: FIRST_EPOCH,
    firstOffset: 0,
    release: spec.release,
    reason: "batch",
    openedAt: "",
    partitions: 1,
    ordering: "offset",
  };
}

function unknownRelease(hash: string): Result<never> {
  return fail({ code: "release-unknown", message: `The batch run was not given release ${hash}.` });
}

/** The newest operation of every (identity, part), found by identity token rather than by a sink. */
function openNewest(): {
  add(item: Transformed): void;
  writeTo(sink: Sink): Promise<Problem | undefined>;
} {
  const batches: SinkBatch[] = [];
  const held = new Map<string, { batch: number; operation: number; version: bigint }>();

  function add(item: Transformed): void {
    const { contract, portions, records, decoded } = item;
    const chunks = item.chunks.length > 0 ? item.chunks : [undefined];
    chunks.forEach((chunk, n) => {
      const tombstones = n === 0 ? decoded.tombstones : [];
      const shared = { contract, portions, records, decoded };
      const { batch, recordOf } = effectsOf({ ...shared, tombstones, chunk, without: new Set() });
      batches.push(batch);
      recordOf.forEach((record, operation) => {
        const place = `${JSON.stringify(decoded.token[record])}/${batch.part[operation]}`;
        const version = batch.version[operation] ?? 0n;
        if ((held.get(place)?.version ?? -1n) < version)
          held.set(place, { batch: batches.length - 1, operation, version });
      });
    });
  }

  return {
    add,
    async writeTo(sink) {
      const chosen = batches.map((): number[] => []);
      for (const { batch, operation } of held.values()) chosen[batch]?.push(operation);
      for (const [n, batch] of batches.entries()) {
        const operations = chosen[n] ?? [];
        const outcomes = await sink.write(selectOperations(batch, operations));
        const failed = outcomes.find((outcome) => outcome.kind !== "written");
        if (failed !== undefined)
          return {
            code: "batch-run-failed",
            message: `The batch run could not write: ${JSON.stringify(failed)}`,
          };
      }
      return undefined;
    },
  };
}
