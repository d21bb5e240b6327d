import { joinDecoded, type Decoded } from "../decode/decode.ts";
import { sizeOf } from "../in-batches.ts";
import type { SinkContract } from "../ports.ts";
import type { SettledBatch } from "./settle-batch.ts";
import type { Portion } from "../order/stretches.ts";
import type { Judged } from "./transform-stage.ts";
import type { Tuning } from "../tuning.ts";

/** A portion, decoded and judged, and what is done once every sink has it. */
export type JudgedPortion = Portion & {
  contract: SinkContract;
  decoded: Decoded;
  finish(settled: SettledBatch): Promise<void>;
};

/**
 * What was read and not yet handed on, to become one batch: each costs its way through the guest and the sinks, whatever its size. Behind a small one
 * the next therefore grows until that is finished, the larger the longer the sinks take; two at once would cost more and be done no sooner.
 */
export type Gathered = {
  add(portion: JudgedPortion): void;
  isEmpty(): boolean;
  /** A batch by itself: more on top would save nothing, and what waits is not written meanwhile. */
  isEnough(): boolean;
  /** While there is something, not enough yet, and a small batch is still on its way: resolves when that one is finished. */
  growsBehind(): Promise<void> | undefined;
  /** What may come on top. */
  room(): Pick<Tuning, "maxRecords" | "maxBytes">;
  /** All of it, in the order in which it came; a batch has one release. Small: something, but not enough. */
  take(): { batches: Judged[]; isSmall: boolean };
};

/** `limits` may change with the release. */
export function openGathered(limits: Tuning): Gathered {
  let portions: JudgedPortion[] = [];
  let records = 0;
  let bytes = 0;
  /** Resolves when the small batch that is on its way is finished. */
  let before: Promise<void> | undefined;
  const isEnough = (): boolean => records * 4 >= limits.maxRecords || bytes * 4 >= limits.maxBytes;

  /** `batch`, which the next waits for. */
  function awaited(batch: Judged): Judged {
    const { promise, resolve } = Promise.withResolvers<void>();
    before = promise;
    return {
      ...batch,
      async finish(settled) {
        await batch.finish(settled);
        if (before === promise) before = undefined;
        resolve();
      },
    };
  }

  return {
    add(portion) {
      portions.push(portion);
      records += portion.records.length;
      bytes += portion.records.reduce((sum, record) => sum + sizeOf(record), 0);
    },
    isEmpty: () => portions.length === 0,
    isEnough,
    growsBehind: () => (portions.length > 0 && !isEnough() ? before : undefined),
    room: () => ({
      maxRecords: Math.max(1, limits.maxRecords - records),
      maxBytes: Math.max(1, limits.maxBytes - bytes),
    }),
    take() {
      const batches = batchesOf(portions);
      const isSmall = batches.length > 0 && !isEnough();
      portions = [];
      records = 0;
      bytes = 0;
      return { batches: isSmall ? batches.map(awaited) : batches, isSmall };
    },
  };
}

function batchesOf(portions: readonly JudgedPortion[]): Judged[] {
  const batches: JudgedPortion[][] = [];
  for (const portion of portions) {
    const open = batches.at(-1);
    if (open?.[0]?.epoch.release === portion.epoch.release) open.push(portion);
    else batches.push([portion]);
  }
  return batches.map(batchOf);
}

function batchOf(portions: readonly JudgedPortion[]): Judged {
  const [first] = portions;
  if (first === undefined) throw new RangeError("a batch has a portion");
  return {
    portions,
    release: first.epoch.release,
    // It may have come to have more parts meanwhile, never fewer.
    contract: portions.at(-1)?.contract ?? first.contract,
    records: portions.length === 1 ? first.records : portions.flatMap(({ records }) => records),
    decoded: joinDecoded(portions.map(({ decoded }) => decoded)),
    async finish(settled) {
      // All begin before any is awaited: what is finished together is committed together.
      const finishing = portions.flatMap((portion, i) => {
        const own = settled[i];
        return own === undefined ? [] : [portion.finish(own)];
      });
      await Promise.all(finishing);
    },
  };
}
