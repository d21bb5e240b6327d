import type { DatabaseSync } from "node:sqlite";
import type { Result } from "#snapshots/problem.ts";
import { openReleaseGuest, type GuestPlace } from "../guest/guest.ts";
import { openSpecRegistry } from "../workers/look-apart.ts";
import type { Ports } from "../open/open-ports.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import { readRelease, widestParts } from "../release-spec.ts";
import { expectNothing, openRuntimes } from "../pipeline/runtimes.ts";
import { openSpecDecoder } from "../pipeline/spec-decoder.ts";
import { verify, type VerifyOptions, type VerifyReport } from "./verify.ts";

/** With decoders, guests and a registry of its own: the pipeline may run in other processes, or be paused. */
export async function verifyPipeline(
  spec: PipelineSpec,
  place: GuestPlace & { state: DatabaseSync },
  { sinks, reader }: Pick<Ports, "sinks" | "reader">,
  options: VerifyOptions,
): Promise<Result<VerifyReport>> {
  const registry = openSpecRegistry(spec, place);
  if (!registry.ok) return registry;
  const { state, store } = place;
  const id = { environment: spec.environment, name: spec.name };
  const maxParts = widestParts(state, id);
  const runtimes = openRuntimes(
    {
      widestParts: () => maxParts,
      readRelease: (hash) => readRelease(state, store, hash),
      openDecoder: (release) => openSpecDecoder({ ...spec, ...release }, registry.value),
      openGuest: (release) => openReleaseGuest(release, place),
      openExpectations: expectNothing,
    },
    (hash) => (hash === spec.release ? spec : undefined),
  );
  return verify({ id, spec, state, sinks, reader, runtimes, now: () => new Date(), ...options });
}
