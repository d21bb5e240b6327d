import type { DatabaseSync } from "node:sqlite";
import { fail, ok, unwrap, type Result } from "#snapshots/problem.ts";
import { listEpochs, type Epoch, type PipelineId } from "../order/epochs.ts";
import { identityToken, typedColumns } from "../values/identity.ts";
import { converterFor, Refusal, type Kept } from "../values/json-values.ts";
import { numbersFor, settledOffset, usedUp } from "../order/layers.ts";
import type { Sink, SinkContract } from "../ports.ts";
import {
  askRewrite,
  askTogether,
  type Asked,
  type Clear,
  type Selection,
} from "../rewrites/rewrites.ts";
import type { Cut } from "./topic-run.ts";
import type { VerifyReport } from "./verify.ts";

/**
 * What would heal the sinks: identities to write again from their records, identities whose rows nothing in the topic accounts for, and
 * documents of no identity, which are deleted where they lie.
 */
export type RepairPlan = {
  partitions: { topic: string; partition: number; identities: number }[];
  clears: number;
  strays: { sink: string; documents: number }[];
  /** Each in one partition alone: it has all that is newer of these identities. */
  rewrites: (Cut & { selection: Selection })[];
  /** In all partitions of a topic together, each with all of the identities: their newest records are from before it was given more partitions. */
  together: (Cut & { selection: Selection })[];
};

/** What it takes to bring every difference of a report to what the topic says. The report must hold all differences, not only samples. */
export function planRepair(
  report: VerifyReport,
  contract: SinkContract,
  epochs: readonly Epoch[],
): RepairPlan {
  /** By the partition of their newest record; those of before a topic grew by topic. */
  const tokens = new Map<string, Set<string | number>>();
  const identities = new Map<string, Set<string>>();
  const moved = new Map<string, Set<string | number>>();
  const clears = new Map<string, bigint>();
  const settled = new Map(report.cut.map((cut) => [placeOf(cut), settledOffset(epochs, cut)]));
  const strays = report.sinks.flatMap(({ sink, differences }) => {
    const documents = differences.filter(({ stray }) => stray !== undefined).length;
    return documents === 0 ? [] : [{ sink, documents }];
  });
  for (const difference of report.sinks.flatMap((sink) => sink.differences)) {
    if (difference.stray !== undefined) continue;
    const { key, topic, partition, offset, found } = difference;
    if (topic === null || partition === null || offset === null) {
      const version = BigInt(found?.version ?? 0);
      clears.set(key, version > (clears.get(key) ?? 0n) ? version : (clears.get(key) ?? 0n));
      continue;
    }
    const place = placeOf({ topic, partition });
    identities.set(place, (identities.get(place) ?? new Set()).add(key));
    const token = tokenOf(key, contract);
    if (offset < (settled.get(place) ?? Infinity))
      moved.set(topic, (moved.get(topic) ?? new Set()).add(token));
    else tokens.set(place, (tokens.get(place) ?? new Set()).add(token));
  }
  const chosen = (own: ReadonlySet<string | number> | undefined, cut: Cut) =>
    own === undefined ? [] : [{ ...cut, selection: someOf(own) }];
  const rewrites = report.cut.flatMap((cut) => chosen(tokens.get(placeOf(cut)), cut));
  const together = report.cut.flatMap((cut) => chosen(moved.get(cut.topic), cut));
  const [first] = report.cut;
  const isClearing = first !== undefined && clears.size > 0;
  return {
    partitions: report.cut.flatMap(({ topic, partition }) => {
      const own = identities.get(placeOf({ topic, partition }))?.size;
      return own === undefined ? [] : [{ topic, partition, identities: own }];
    }),
    clears: clears.size,
    strays,
    together,
    rewrites: [
      ...rewrites,
      ...(isClearing ? [{ ...first, selection: { clears: clearsOf(clears) } }] : []),
    ],
  };
}

function placeOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}

function someOf(tokens: ReadonlySet<string | number>): Selection {
  return { offsets: [], tokens: [...tokens] };
}

/** Asks the pipeline's workers to carry a plan out: each partition in a new epoch, below its live traffic. */
export function applyRepair(
  state: DatabaseSync,
  id: PipelineId,
  plan: RepairPlan,
  now: Date,
): Result<number[]> {
  const askedOf = ({
    topic,
    incarnation,
    partition,
    from,
    selection,
  }: Cut & Pick<Asked, "selection">): Asked => ({
    topic,
    incarnation,
    partition,
    from,
    selection,
    reason: "repair",
    askedAt: now.toISOString(),
  });
  const epochs = listEpochs(state, id);
  const full = plan.together.find((one) => numbersFor(epochs, one) === undefined);
  if (full !== undefined) return fail(usedUp(id, full.topic));
  const alone = plan.rewrites.map((one) => askRewrite(state, id, askedOf(one)));
  return ok([...alone, ...askTogether(state, id, plan.together.map(askedOf))]);
}

/** Deletes what lies under no identity where it lies; no record accounts for it, and no write of the pipeline's would ever meet it. */
export async function removeStrays(sinks: readonly Sink[]): Promise<Result<void>> {
  for (const sink of sinks) {
    const refused = await sink.removeStrays?.();
    if (refused !== undefined) return fail(refused);
  }
  return ok(undefined);
}

function clearsOf(versions: ReadonlyMap<string, bigint>): Clear[] {
  return [...versions].map(([key, version]) => ({ key, found: String(version) }));
}

function tokenOf(key: string, contract: SinkContract): string | number {
  const values = JSON.parse(key) as unknown[]; // a key is a JSON array
  const typed = unwrap(typedColumns(contract.key));
  return identityToken(
    typed.map(({ type }, i): Kept => {
      const converted = converterFor(type)(values[i]);
      return converted instanceof Refusal ? null : converted;
    }),
  );
}
