import type { Problem, Result } from "#snapshots/problem.ts";
import type { Decoder } from "../decode/open-decoder.ts";
import { openExpectations, type Expectations } from "../expectations/expectations.ts";
import type { GuestStage } from "../guest/guest-stage.ts";
import type { SinkContract } from "../ports.ts";
import type { ReleaseSpec } from "../release-spec.ts";
import { contractOf } from "../open/sink-plan.ts";

/** What it takes to handle records by a release. */
export type Runtime = {
  release: ReleaseSpec;
  decoder: Decoder;
  contract: SinkContract;
  expectations: Expectations;
  guest: GuestStage;
};

export type RuntimeParts = {
  readRelease(hash: string): Result<ReleaseSpec>;
  openDecoder(release: ReleaseSpec): Result<Decoder>;
  openGuest(release: ReleaseSpec): GuestStage;
  /** The most parts that any release made of a record; each writes or clears as many. */
  widestParts(): number;
  /** What the source expects of its records; nothing where a topic is only looked back on. */
  openExpectations(release: ReleaseSpec): Result<Expectations>;
};

/** Runtimes by release, each opened when its first record comes: also of releases that epochs name and that run no more. */
export type Runtimes = {
  of(release: string): Runtime | Problem;
  restarts(): number;
  close(): Promise<void>;
};

/** `known`: releases at hand, which need not be read. */
export function openRuntimes(
  parts: RuntimeParts,
  known: (hash: string) => ReleaseSpec | undefined,
): Runtimes {
  const opened = new Map<string, Runtime>();

  function widened(contract: SinkContract): SinkContract {
    const maxParts = parts.widestParts();
    return maxParts <= contract.maxParts ? contract : { ...contract, maxParts };
  }

  function of(hash: string): Runtime | Problem {
    const held = opened.get(hash);
    if (held !== undefined) {
      held.contract = widened(held.contract);
      return held;
    }
    const atHand = known(hash);
    const release =
      atHand === undefined ? parts.readRelease(hash) : { ok: true as const, value: atHand };
    if (!release.ok) return release.problem;
    const decoder = parts.openDecoder(release.value);
    if (!decoder.ok) return decoder.problem;
    const contract = contractOf(release.value);
    if (!contract.ok) return contract.problem;
    const expectations = parts.openExpectations(release.value);
    if (!expectations.ok) return expectations.problem;
    const runtime = {
      release: release.value,
      expectations: expectations.value,
      decoder: decoder.value,
      contract: widened(contract.value),
      guest: parts.openGuest(release.value),
    };
    opened.set(hash, runtime);
    return runtime;
  }

  return {
    of,
    restarts: () => [...opened.values()].reduce((sum, { guest }) => sum + guest.restarts(), 0),
    async close() {
      for (const { guest } of opened.values()) await guest.close();
      opened.clear();
    },
  };
}

/** For looking back: what was expected of a record was judged when it came. */
export function expectNothing({ input }: ReleaseSpec): Result<Expectations> {
  return openExpectations([], input);
}
