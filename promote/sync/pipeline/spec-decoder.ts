import { setTimeout as delay } from "node:timers/promises";
import type { Problem, Result } from "#snapshots/problem.ts";
import type { Decoded } from "../decode/decode.ts";
import { openDecoder, type Decoder } from "../decode/open-decoder.ts";
import type { Registry } from "../decode/registry.ts";
import type { PipelineEvent } from "../events.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { SourceRecord } from "../ports.ts";
import { STOPPED } from "../unless-stopped.ts";

/** The decoder of a pipeline's records: by its release's contract, in its stream's format. */
export function openSpecDecoder(
  { input, key, stream }: Pick<PipelineSpec, "input" | "key" | "stream">,
  registry: Registry | undefined,
): Result<Decoder> {
  return openDecoder({ input, key, stream, ...(registry === undefined ? {} : { registry }) });
}

/** Decodes a batch whatever it takes: a registry that is away is waited for. A problem: a person is needed, or the pipeline stops. */
export async function decodeSettled(
  decoder: Decoder,
  batch: { records: readonly SourceRecord[]; topic: string; partition: number },
  { signal, observe }: { signal: AbortSignal; observe: (event: PipelineEvent) => void },
): Promise<Decoded | Problem> {
  const startedAt = performance.now();
  for (let isWaiting = false; ; isWaiting = true) {
    const pending = decoder.decode(batch.records, batch.topic, batch.partition);
    const outcome = pending instanceof Promise ? await pending : pending;
    if (isWaiting && outcome.kind !== "retryAfter")
      observe({ kind: "backoff", where: "registry", problem: undefined });
    if (outcome.kind === "decoded") {
      const ms = performance.now() - startedAt;
      observe({ kind: "stage", stage: "decode", ms, records: batch.records.length });
      return outcome.decoded;
    }
    if (outcome.kind === "halt") return outcome.problem;
    observe({ kind: "backoff", where: "registry", problem: outcome.problem });
    await delay(outcome.afterMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return STOPPED;
  }
}
