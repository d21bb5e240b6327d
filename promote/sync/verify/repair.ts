import type { DatabaseSync } from "node:sqlite";
import { fail, ok, unwrap, type Result } from "#snapshots/problem.ts";
import type { PipelineId } from "../epochs.ts";
import { identityToken, typedColumns } from "../identity.ts";
import { converterFor, Refusal, type Kept } from "../json-values.ts";
import type { Sink, SinkContract } from "../ports.ts";
import { askRewrite, type Clear, type Selection } from "../rewrites.ts";
import type { Cut } from "../topic-run.ts";
import type { VerifyReport } from "./verify.ts";

/**
 * What would heal the sinks: identities to write again from their records, identities whose rows nothing in the topic accounts for, and
 * documents of no identity, which are deleted where they lie.
 */
export type RepairPlan = {
  partitions: { topic: string; partition: number; identities: number }[];
  clears: number;
  strays: { sink: string; documents: number }[];
  rewrites: (Cut & { selection: Selection })[];
};

/** What it takes to bring every difference of a report to what the topic says. The report must hold all differences, not only samples. */
export function planRepair(report: VerifyReport, contract: SinkContract): RepairPlan {
  const tokens = new Map<number, Set<string | number>>();
  const clears = new Map<string, bigint>();
  const strays = report.sinks.flatMap(({ sink, differences }) => {
    const documents = differences.filter(({ stray }) => stray !== undefined).length;
    return documents === 0 ? [] : [{ sink, documents }];
  });
  for (const difference of report.sinks.flatMap((sink) => sink.differences)) {
    if (difference.stray !== undefined) continue;
    const { key, partition, found } = difference;
    if (partition === null) {
      const version = BigInt(found?.version ?? 0);
      clears.set(key, version > (clears.get(key) ?? 0n) ? version : (clears.get(key) ?? 0n));
      continue;
    }
    const known = tokens.get(partition) ?? new Set();
    tokens.set(partition, known.add(tokenOf(key, contract)));
  }
  const rewrites = report.cut.flatMap((cut) => {
    const own = tokens.get(cut.partition);
    if (own === undefined) return [];
    return [{ ...cut, selection: { offsets: [], tokens: [...own] } }];
  });
  const [first] = report.cut;
  const isClearing = first !== undefined && clears.size > 0;
  return {
    partitions: rewrites.map(({ topic, partition }) => ({
      topic,
      partition,
      identities: tokens.get(partition)?.size ?? 0,
    })),
    clears: clears.size,
    strays,
    rewrites: [
      ...rewrites,
      ...(isClearing ? [{ ...first, selection: { clears: clearsOf(clears) } }] : []),
    ],
  };
}

/** Asks the pipeline's workers to carry a plan out: each partition in a new epoch, below its live traffic. */
export function applyRepair(
  state: DatabaseSync,
  id: PipelineId,
  plan: RepairPlan,
  now: Date,
): Result<number[]> {
  return ok(
    plan.rewrites.map(({ topic, incarnation, partition, from, selection }) =>
      askRewrite(state, id, {
        topic,
        incarnation,
        partition,
        from,
        selection,
        reason: "repair",
        askedAt: now.toISOString(),
      }),
    ),
  );
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
