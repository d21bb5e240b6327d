import { setTimeout as delay } from "node:timers/promises";
import type { Problem } from "#snapshots/problem.ts";
import { selectOperations } from "./operations.ts";
import type { PipelineEvent } from "../events.ts";
import type { Outcome, Sink, SinkBatch } from "../ports.ts";
import { STOPPED } from "../unless-stopped.ts";

export type Settled = Exclude<Outcome, { kind: "retryAfter" } | { kind: "halt" }>;
export type RetryOptions = {
  signal: AbortSignal;
  random: () => number;
  observe: (event: PipelineEvent) => void;
  baseMs?: number;
  capMs?: number;
};

async function writeOnce(
  sink: Sink,
  batch: SinkBatch,
  { signal, observe }: RetryOptions,
): Promise<Outcome[]> {
  const startedAt = performance.now();
  const outcomes = await sink.write(batch, signal);
  const ms = performance.now() - startedAt;
  observe({ kind: "write", sink: sink.name, ms, operations: batch.count });
  return outcomes;
}

function isSettled(outcome: Outcome): outcome is Settled {
  return outcome.kind !== "retryAfter" && outcome.kind !== "halt";
}

/**
 * Writes until every operation has settled. What asked to be sent again is, with jittered exponential backoff ("full jitter", AWS
 * Architecture Blog 2015) and never before its own `afterMs`. Ends early with a problem on halt or abort.
 */
export async function writeSettled(
  sink: Sink,
  batch: SinkBatch,
  options: RetryOptions,
): Promise<Settled[] | Problem> {
  const first = await writeOnce(sink, batch, options);
  if (first.length === batch.count && first.every(isSettled)) {
    options.observe({ kind: "backoff", where: sink.name, problem: undefined });
    return first;
  }
  const settled: (Settled | undefined)[] = Array.from({ length: batch.count }, () => undefined);
  let waiting = Array.from({ length: batch.count }, (_, i) => i);
  for (let round = 0; waiting.length > 0; round++) {
    const outcomes =
      round === 0 ? first : await writeOnce(sink, selectOperations(batch, waiting), options);
    const again: number[] = [];
    let afterMs = 0;
    let problem: Problem | undefined;
    for (const [n, index] of waiting.entries()) {
      const outcome = outcomes[n];
      if (outcome === undefined)
        return {
          code: "sink-broken",
          message: `The sink ${sink.name} answered for fewer operations than it was given.`,
        };
      if (outcome.kind === "halt") return outcome.problem;
      if (outcome.kind !== "retryAfter") {
        settled[index] = outcome;
        continue;
      }
      again.push(index);
      afterMs = Math.max(afterMs, outcome.afterMs);
      problem = outcome.problem;
    }
    waiting = again;
    if (waiting.length === 0) break;
    if (options.signal.aborted) return STOPPED;
    options.observe({ kind: "backoff", where: sink.name, problem });
    const spread =
      Math.min(options.capMs ?? 30_000, (options.baseMs ?? 100) * 2 ** round) * options.random();
    await delay(afterMs + spread, undefined, { signal: options.signal }).catch(() => undefined);
    if (options.signal.aborted) return STOPPED;
  }
  options.observe({ kind: "backoff", where: sink.name, problem: undefined });
  return settled.flatMap((outcome) => (outcome === undefined ? [] : [outcome]));
}
