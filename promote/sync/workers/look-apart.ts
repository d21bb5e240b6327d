import { fail, ok, type Result } from "#snapshots/problem.ts";
import { openRegistry, type Registry } from "../decode/registry.ts";
import {
  openLook,
  openSinks,
  surroundingsOf,
  type Ports,
  type PortsPlace,
} from "../open/open-ports.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import { contractOf, planSinks, type SinkPlan } from "../open/sink-plan.ts";
import { STOPPED, unlessStopped } from "../unless-stopped.ts";

/** Who looks at servers that are away is told after this long. */
const PATIENCE_MS = 30_000;

/** Lets something look at what a pipeline reads from and writes to, opened for as long as it takes. Whoever stops does not wait for a server. */
export async function lookApart<T>(
  spec: PipelineSpec,
  place: PortsPlace,
  look: (open: Pick<Ports, "sinks" | "reader">) => Promise<Result<T>>,
  { maxParts, signal }: { maxParts: number; signal: AbortSignal },
): Promise<Result<T>> {
  const opened = await openLook(spec, place, { signal, ms: PATIENCE_MS });
  if (!opened.ok) return opened;
  const { sinks, reader } = opened.value;
  const prepareAndLook = async (): Promise<Result<T>> => {
    const contract = contractOf(spec, maxParts);
    if (!contract.ok) return contract;
    for (const sink of sinks) {
      const refused = await sink.prepare(contract.value);
      if (refused !== undefined) return fail(refused);
    }
    return look(opened.value);
  };
  const close = async (): Promise<void> => {
    for (const sink of sinks) await sink.close();
    await reader.close();
  };
  const isRemote = spec.where.kind === "servers";
  try {
    return await (isRemote
      ? unlessStopped(prepareAndLook(), signal, fail(STOPPED))
      : prepareAndLook());
  } finally {
    // Fails what a server has not answered; who has gone does not wait for that either.
    const closed = close();
    if (isRemote && signal.aborted) closed.catch(() => undefined);
    else await closed;
  }
}

/** Opens the sinks for as long as it takes to ask them. Files of an embedded environment are made when they are first written. */
export async function planApart(
  spec: PipelineSpec,
  place: PortsPlace,
): Promise<Result<SinkPlan[]>> {
  if (spec.where.kind === "embedded") return ok([]);
  const opened = await openSinks(spec, place);
  if (!opened.ok) return opened;
  try {
    return await planSinks(spec, opened.value);
  } finally {
    for (const sink of opened.value) await sink.close();
  }
}

export function openSpecRegistry(
  spec: PipelineSpec,
  place: Pick<PortsPlace, "root">,
): Result<Registry | undefined> {
  if (spec.where.kind === "embedded" || spec.where.registry === undefined) return ok(undefined);
  return openRegistry(spec.where.registry, surroundingsOf(place), Date.now);
}
