import { FIRST_EPOCH, partsOfVersion, versionOf } from "../order/version.ts";
import type { SourceRecord } from "../ports.ts";
import type { Clear } from "./rewrites.ts";

/**
 * By epoch: tombstones whose versions come right after those of the rows they are to clear, so that whatever is newer, or comes to life in any
 * partition meanwhile, stays. A row made by hand has no version of ours: its tombstone is older than every record.
 */
export function tombstones(
  clears: readonly Clear[],
): { number: number; records: SourceRecord[] }[] {
  const oldest = versionOf(FIRST_EPOCH, 0, 0);
  const byEpoch = new Map<number, SourceRecord[]>();
  for (const { key, found } of clears) {
    const after = BigInt(found) + 1n;
    const { epoch, offset } = partsOfVersion(after < oldest ? oldest : after + (after & 1n));
    const record = { offset, timestampMs: 0, headers: [], key: Buffer.from(key), value: null };
    const records = byEpoch.get(epoch);
    if (records === undefined) byEpoch.set(epoch, [record]);
    else records.push(record);
  }
  return [...byEpoch].map(([number, records]) => ({ number, records }));
}
