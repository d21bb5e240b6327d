import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { DeadLetter } from "./dead-letters.ts";
import { openDecoder } from "./decode/decode.ts";
import { openDuckdbSink } from "./embedded/duckdb-sink.ts";
import { readIncarnation } from "./embedded/log-files.ts";
import { readWholeLog } from "./embedded/file-source.ts";
import type { Epoch } from "./epochs.ts";
import { openReleaseGuest } from "./guest.ts";
import { effectsOf, selectOperations } from "./operations.ts";
import type { Sink, SinkBatch, StoredRow } from "./ports.ts";
import { addCounts, NOTHING, type Counts } from "./progress.ts";
import { settleBatch, type Transformed } from "./settle-batch.ts";
import type { PipelineSpec } from "./pipeline-spec.ts";
import { FIRST_EPOCH } from "./version.ts";

export type BatchRun = {
  /** Every row and tombstone the topic leaves, in key order. */
  rows(): AsyncIterable<StoredRow>;
  counts: Counts;
  deadLetters: DeadLetter[];
  close(): Promise<void>;
};

/**
 * The final state a batch run of a release over a whole topic gives: everything is transformed first, the newest version of every
 * (identity, part) is found in memory, and each is written once. What the stream left must equal it.
 */
export async function batchRun(
  spec: PipelineSpec,
  log: { directory: string; store: ContentStore; root: string; epoch?: number },
): Promise<Result<BatchRun>> {
  const decoder = openDecoder(spec);
  if (!decoder.ok) return decoder;
  const { decode } = decoder.value;
  const contract = { key: decoder.value.key, columns: spec.output, maxParts: spec.maxParts };
  const stretch = {
    topic: spec.topic,
    incarnation: readIncarnation(log.directory) ?? "",
    partition: 0,
  };
  const epoch: Epoch = {
    ...stretch,
    epoch: log.epoch ?? FIRST_EPOCH,
    firstOffset: 0,
    release: spec.release,
    reason: "batch",
    openedAt: "",
    partitions: 1,
    ordering: "offset",
  };
  const guest = openReleaseGuest(spec, log);
  const directory = mkdtempSync(join(tmpdir(), "penstock-batch-"));
  const sink = await openDuckdbSink({ name: "batch", path: join(directory, "batch.duckdb") });
  const newest = openNewest();
  const signal = new AbortController().signal;
  let counts = NOTHING;
  const deadLetters: DeadLetter[] = [];

  async function transformAll(): Promise<Problem | undefined> {
    for await (const records of readWholeLog(log.directory)) {
      const decoded = decode(records, 0);
      const chunks = await guest.run(decoded, signal);
      if (!chunks.ok) return chunks.problem;
      const next = (records.at(-1)?.offset ?? -1) + 1;
      const item: Transformed = {
        stretch,
        epoch,
        contract,
        records,
        decoded,
        chunks: chunks.value,
        next,
        hasSourceMap: spec.sourceMap !== undefined,
      };
      const settled = await settleBatch([], item, {
        signal,
        random: () => 0,
        observe: () => undefined,
        at: "",
      });
      if ("code" in settled) return settled;
      counts = addCounts(counts, settled.counts);
      deadLetters.push(...settled.deadLetters);
      newest.add(item);
    }
    return undefined;
  }

  async function close(): Promise<void> {
    await guest.close();
    await sink.close();
    rmSync(directory, { recursive: true, force: true });
  }

  const problem =
    (await transformAll()) ?? (await sink.prepare(contract)) ?? (await newest.writeTo(sink));
  await guest.close();
  if (problem !== undefined) {
    await close();
    return fail(problem);
  }
  return ok({ rows: () => sink.scan(), counts, deadLetters, close });
}

/** The newest operation of every (identity, part), found by identity token rather than by a sink. */
function openNewest(): {
  add(item: Transformed): void;
  writeTo(sink: Sink): Promise<Problem | undefined>;
} {
  const batches: SinkBatch[] = [];
  const held = new Map<string, { batch: number; operation: number; version: bigint }>();

  function add(item: Transformed): void {
    const { contract, stretch, epoch, records, decoded } = item;
    const chunks = item.chunks.length > 0 ? item.chunks : [undefined];
    chunks.forEach((chunk, n) => {
      const tombstones = n === 0 ? decoded.tombstones : [];
      const shared = {
        contract,
        topic: stretch.topic,
        partition: stretch.partition,
        epoch,
        records,
        decoded,
      };
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
