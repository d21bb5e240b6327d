import type { Result } from "#snapshots/problem.ts";
import type { Generation } from "./sync/ports.ts";
import { wantedSpec } from "./wanted-spec.ts";
import type { Workbench } from "./workbench.ts";

/** The indices a pipeline has made in Elasticsearch, newest first, as the release that should run sees them. */
export async function listGenerations(
  workbench: Workbench,
  environment: string,
  name: string,
): Promise<Result<Generation[]>> {
  const spec = await wantedSpec(workbench, environment, name);
  return spec.ok ? workbench.sync.generations(spec.value) : spec;
}

/** Turns readers to one of them, or deletes one that nobody reads or writes; says what there is then. */
export async function actOnGeneration(request: {
  workbench: Workbench;
  environment: string;
  name: string;
  act: "read" | "drop";
  generation: number;
  by: string;
}): Promise<Result<Generation[]>> {
  const { workbench, environment, name, act, generation, by } = request;
  const { sync, state, now } = workbench;
  const spec = await wantedSpec(workbench, environment, name);
  if (!spec.ok) return spec;
  const done = await sync.actOnGeneration(spec.value, act, generation);
  if (!done.ok) return done;
  state.audit({
    at: now(),
    by,
    action: `${act}-generation`,
    environment,
    transform: name,
    release: spec.value.release,
    commit: null,
    details: { generation },
  });
  return sync.generations(spec.value);
}
