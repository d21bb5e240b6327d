import type { Problem } from "#snapshots/problem.ts";
import type { PipelineEvent } from "../events.ts";
import type { Runtimes } from "./runtimes.ts";
import type { Writable } from "./write-stage.ts";

/** Records of one release, decoded and held to their source's expectations. */
export type Judged = Omit<Writable, "chunks" | "sourceMap">;

export type TransformParts = {
  runtimes: Runtimes;
  /** Undefined: there will be no more. */
  next(): Promise<Judged | undefined>;
  /** To the sinks; resolves when there is room for another. */
  pass(batch: Writable): Promise<void>;
  halt(problem: Problem): void;
  signal: AbortSignal;
  observe: (event: PipelineEvent) => void;
};

/** Each batch through its own release's guest, one after another, so that they stay in order. */
export async function transformBatches(parts: TransformParts): Promise<void> {
  const { runtimes, signal, observe } = parts;
  for (let item = await parts.next(); item !== undefined; item = await parts.next()) {
    const runtime = runtimes.of(item.release);
    if ("code" in runtime) return parts.halt(runtime);
    const startedAt = performance.now();
    const chunks = await runtime.guest.run(item.decoded, signal);
    if (!chunks.ok) return parts.halt(chunks.problem);
    const ms = performance.now() - startedAt;
    observe({ kind: "stage", stage: "transform", ms, records: item.records.length });
    await parts.pass({
      ...item,
      chunks: chunks.value,
      sourceMap: runtime.release.sourceMap,
    });
  }
}
