import type { DatabaseSync } from "node:sqlite";
import { fail, ok, unwrap, type Result } from "#snapshots/problem.ts";
import type { LedgerFault } from "../embedded/row-ledger.ts";
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

/**
 * What would heal the sinks: identities to write again from their records, identities whose rows nothing in the topic accounts for, and
 * documents of no identity, which are deleted where they lie.
 */
export type RepairPlan = {
  partitions: { topic: string; partition: number; identities: number }[];
  clears: number;
  strays: { sink: string; documents: number }[];
};

/** What is asked of the pipeline's workers for it. */
export type RepairWrites = {
  /** Each in one partition alone: it has all that is newer of these identities. */
  alone: (Cut & { selection: Selection })[];
  /** In all partitions of a topic together, each with all of the identities: their newest records are from before it was given more partitions. */
  together: (Cut & { selection: Selection })[];
};

/** Gathers what it takes to bring every difference to what the topic says. */
export type Repair = {
  add: (sink: string, faults: readonly LedgerFault[]) => void;
  plan(cut: readonly Cut[]): RepairPlan;
  writes(cut: readonly Cut[], epochs: readonly Epoch[]): RepairWrites;
};

export function openRepair(contract: SinkContract): Repair {
  const tokenOf = tokensOf(contract);
  /** By the partition of its newest record, each identity and where that is. */
  const records = new Map<string, Map<string | number, number>>();
  const clears = new Map<string, bigint>();
  const strays = new Map<string, number>();

  function add(sink: string, { key, stray, topic, partition, offset, version }: LedgerFault): void {
    if (stray !== undefined) {
      strays.set(sink, (strays.get(sink) ?? 0) + 1);
    } else if (topic === null || partition === null || offset === null) {
      const found = BigInt(version ?? 0);
      clears.set(key, found > (clears.get(key) ?? 0n) ? found : (clears.get(key) ?? 0n));
    } else {
      const place = placeOf({ topic, partition });
      const here = records.get(place) ?? new Map<string | number, number>();
      const token = tokenOf(key);
      records.set(place, here.set(token, Math.min(offset, here.get(token) ?? Infinity)));
    }
  }

  return {
    add(sink, faults) {
      for (const fault of faults) add(sink, fault);
    },
    plan: (cut) => ({
      partitions: cut.flatMap(({ topic, partition }) => {
        const identities = records.get(placeOf({ topic, partition }))?.size;
        return identities === undefined ? [] : [{ topic, partition, identities }];
      }),
      clears: clears.size,
      strays: [...strays].map(([sink, documents]) => ({ sink, documents })),
    }),
    writes(cut, epochs) {
      const moved = new Map<string, Set<string | number>>();
      const alone = cut.flatMap((one) => {
        const settled = settledOffset(epochs, one);
        const own: (string | number)[] = [];
        for (const [token, offset] of records.get(placeOf(one)) ?? [])
          if (offset >= settled) own.push(token);
          else moved.set(one.topic, (moved.get(one.topic) ?? new Set()).add(token));
        return own.length === 0 ? [] : [{ ...one, selection: someOf(own) }];
      });
      const selections = new Map([...moved].map(([topic, tokens]) => [topic, someOf([...tokens])]));
      const together = cut.flatMap((one) => {
        const selection = selections.get(one.topic);
        return selection === undefined ? [] : [{ ...one, selection }];
      });
      const [first] = cut;
      if (first !== undefined && clears.size > 0)
        alone.push({ ...first, selection: { clears: clearsOf(clears) } });
      return { alone, together };
    },
  };
}

function placeOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}

function someOf(tokens: (string | number)[]): Selection {
  return { offsets: [], tokens };
}

/** Asks the pipeline's workers to carry a repair out: each partition in a new epoch, below its live traffic. */
export function applyRepair(
  state: DatabaseSync,
  id: PipelineId,
  { alone, together }: RepairWrites,
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
  const full = together.find((one) => numbersFor(epochs, one) === undefined);
  if (full !== undefined) return fail(usedUp(id, full.topic));
  const asked = alone.map((one) => askRewrite(state, id, askedOf(one)));
  return ok([...asked, ...askTogether(state, id, together.map(askedOf))]);
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

function tokensOf(contract: SinkContract): (key: string) => string | number {
  const converters = unwrap(typedColumns(contract.key)).map(({ type }) => converterFor(type));
  return (key) => {
    const values = JSON.parse(key) as unknown[]; // a key is a JSON array
    return identityToken(
      converters.map((convert, i): Kept => {
        const converted = convert(values[i]);
        return converted instanceof Refusal ? null : converted;
      }),
    );
  };
}
