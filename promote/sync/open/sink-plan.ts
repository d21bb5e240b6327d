import { setTimeout as delay } from "node:timers/promises";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { keyColumns } from "../decode/decode.ts";
import { layoutOf } from "../decode/layout.ts";
import type { ReleaseSpec } from "../release-spec.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { Sink, SinkContract } from "../ports.ts";

/** What a release would make or alter in one sink: a statement or request each; or why that cannot be said. */
export type SinkPlan = {
  sink: string;
  changes: string[];
  /** What it means for who reads, in sentences. */
  readers: string[];
  problem?: Problem;
};

/** What the sinks of a release hold. */
export function contractOf(spec: ReleaseSpec, maxParts = spec.maxParts): Result<SinkContract> {
  const layout = layoutOf(spec);
  if (!layout.ok) return layout;
  return ok({ key: keyColumns(layout.value), columns: spec.output, maxParts });
}

export async function planSinks(
  spec: PipelineSpec,
  sinks: readonly Sink[],
): Promise<Result<SinkPlan[]>> {
  const contract = contractOf(spec);
  if (!contract.ok) return contract;
  const plans = await Promise.all(
    sinks.map(async (sink): Promise<SinkPlan> => {
      const planned = await Promise.race([planSink(sink, contract.value), silence(sink)]);
      return planned.ok
        ? { sink: sink.name, ...planned.value }
        : { sink: sink.name, changes: [], readers: [], problem: planned.problem };
    }),
  );
  return ok(plans);
}

async function planSink(
  sink: Sink,
  contract: SinkContract,
): Promise<Result<Pick<SinkPlan, "changes" | "readers">>> {
  const changes = await sink.plan(contract);
  if (!changes.ok) return changes;
  const readers = await (sink.generations?.foretell(contract) ?? ok([]));
  return readers.ok ? ok({ changes: changes.value, readers: readers.value }) : readers;
}

const PATIENCE_MS = 8000;

/** A person waits for a plan: a server that does not answer is said to be silent. */
async function silence({ name }: Sink): Promise<Result<never>> {
  await delay(PATIENCE_MS, undefined, { ref: false });
  return fail({
    code: "sink-unreachable",
    message: `The sink ${name} did not say within ${PATIENCE_MS / 1000} s what it would change.`,
    hint: "Look whether its server runs, then look at the plan again. The pipeline itself waits for it.",
  });
}
