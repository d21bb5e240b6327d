import { fail, type Problem, type Result } from "#snapshots/problem.ts";
import { openSinks, type PortsPlace } from "./open-ports.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { Generations, SinkContract } from "../ports.ts";
import { isTransient } from "../transient.ts";
import { contractOf } from "./sink-plan.ts";

/** Opens a pipeline's sinks for one look at, or act on, the indices it has made. Nothing is prepared. */
export async function withGenerations<T>(
  spec: PipelineSpec,
  place: PortsPlace,
  body: (generations: Generations, contract: SinkContract) => Promise<Result<T>>,
): Promise<Result<T>> {
  const contract = contractOf(spec);
  if (!contract.ok) return contract;
  const none = fail({
    code: "no-generations",
    message: `${spec.environment}:${spec.name} has no index in Elasticsearch.`,
    hint: "Only there a breaking contract makes a new index beside the old one.",
  });
  if (spec.where.kind === "embedded") return none;
  const opened = await openSinks(spec, place);
  if (!opened.ok) return opened;
  try {
    const generations = opened.value.flatMap((sink) => sink.generations ?? [])[0];
    if (generations === undefined) return none;
    const seen = await body(generations, contract.value);
    return seen.ok || !isTransient(seen.problem) ? seen : fail(onceAgain(seen.problem));
  } finally {
    for (const sink of opened.value) await sink.close();
  }
}

/** A pipeline waits such trouble out; a person who looks has to try again. */
function onceAgain(problem: Problem): Problem {
  return { ...problem, hint: "Try again once Elasticsearch answers." };
}
