import { ok, ProblemError, type Problem } from "#snapshots/problem.ts";
import type { Outcome, Sink, SinkBatch, SinkContract } from "../ports.ts";
import type { JsonText } from "../values/json-text.ts";
import { isTransient } from "../transient.ts";
import { BATCHES_AT_ONCE } from "../tuning.ts";
import { unopenedSink } from "../unopened-sink.ts";
import { STOPPED, unlessStopped } from "../unless-stopped.ts";
import type { BulkShape } from "./bulk-body.ts";
import { usualLimits, type SendBody } from "./bulk-limits.ts";
import { sendBulk } from "./bulk-send.ts";
import { writeBulk } from "./bulk-write.ts";
import { problemOf } from "./failures.ts";
import { openGenerations, readersBehind } from "./generations.ts";
import {
  attempt,
  openPlace,
  type ElasticsearchSinkOptions,
  type IndexPlace,
} from "./index-place.ts";
import { removeStrays, scanIndex, type ScanShape } from "./index-scan.ts";
import { planFor, prepareFor, shown } from "./prepare-index.ts";

type Prepared = {
  contract: string;
  shape: BulkShape & ScanShape;
  generation: number;
  send: SendBody;
};

/**
 * A sink in one Elasticsearch index, read through the alias `<prefix><index>`. Each row is a document under its key, with the contract's columns as fields
 * and Penstock's own under `_penstock`; a version newer than Elasticsearch holds is all that gets in (`external_gte`). A bulk request is durable once
 * it is answered: the translog is synced per request. Documents become visible to searches with the index's own refresh.
 *
 * A contract the index cannot hold begins a new generation: this sink then writes there, while people read the one before until
 * `turnReaders`.
 */
export async function openElasticsearchSink(options: ElasticsearchSinkOptions): Promise<Sink> {
  const opened = openPlace(options);
  if (!opened.ok) return unopenedSink(options.name, opened.problem);
  const place = opened.value;
  const { client, names } = place;
  const generations = openGenerations(place);
  const limits = usualLimits();
  const spare: JsonText[] = [];
  let prepared: Prepared | undefined;

  async function prepareNow(contract: SinkContract): Promise<Problem | undefined> {
    const planned = await prepareFor(place, contract);
    if (!planned.ok) return planned.problem;
    const { wish, target } = planned.value;
    const routing = wish.key.findIndex(({ name }) => name === options.routing);
    const into = { alias: names.writeAlias(target), sink: options.name };
    prepared = {
      contract: textOf(contract),
      shape: {
        ...wish,
        routing: routing < 0 ? undefined : routing,
        maxParts: contract.maxParts,
      },
      generation: target,
      send: (body, count, signal) => sendBulk(client, into, body, count, signal),
    };
    return undefined;
  }

  async function turnNow(): Promise<Problem | undefined> {
    if (prepared === undefined) return undefined;
    const turned = await generations.read(prepared.generation);
    return turned.ok ? undefined : turned.problem;
  }

  return {
    name: options.name,
    writesAtOnce: BATCHES_AT_ONCE,
    async plan(contract) {
      const planned = await planFor(place, contract);
      return planned.ok ? ok(planned.value.requests.map(shown)) : planned;
    },
    prepare: (contract, signal) => unlessStopped(prepareNow(contract), signal, STOPPED),
    async write(batch: SinkBatch, signal?: AbortSignal): Promise<Outcome[]> {
      if (prepared?.contract !== textOf(batch.contract)) throw new Error("write before prepare");
      const { shape, send } = prepared;
      return writeBulk(batch, shape, limits, (body, count) => send(body, count, signal), spare);
    },
    turnReaders: (signal) => unlessStopped(turnNow(), signal, STOPPED),
    generations,
    async readersBehind() {
      return prepared === undefined ? undefined : readersBehind(place, prepared.generation);
    },
    async count() {
      return prepared === undefined ? 0 : countRead(place);
    },
    async *scan() {
      if (prepared === undefined) return;
      try {
        yield* scanIndex(client, names.generation(prepared.generation), prepared.shape);
      } catch (cause) {
        throw new ProblemError(notRead(cause, options.name));
      }
    },
    async removeStrays() {
      if (prepared === undefined) return undefined;
      const { generation, shape } = prepared;
      const removed = await attempt(place, "delete documents", () =>
        removeStrays(client, names.generation(generation), shape),
      );
      return removed.ok ? removed.value : removed.problem;
    },
    async close() {
      await client.close();
    },
  };
}

function notRead(cause: unknown, sink: string): Problem {
  const problem = problemOf(cause, "show its documents", sink);
  const hint = "Nothing was changed. See that Elasticsearch runs, then try again.";
  return isTransient(problem) ? { ...problem, hint } : problem;
}

function textOf({ key, columns }: SinkContract): string {
  return JSON.stringify([key, columns]);
}

async function countRead({ client, names }: IndexPlace): Promise<number> {
  const { count } = await client.count({ index: names.read });
  return count;
}
