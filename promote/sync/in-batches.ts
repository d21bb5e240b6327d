import type { SourceRecord } from "./ports.ts";
import type { Tuning } from "./tuning.ts";

/** Records in turn, as many at once as there may be in a batch: what a broker keeps in a few compressed bytes may be a great many. */
export function* inBatches(
  records: readonly SourceRecord[],
  { maxRecords, maxBytes }: Pick<Tuning, "maxRecords" | "maxBytes">,
): Generator<readonly SourceRecord[]> {
  let from = 0;
  let bytes = 0;
  for (const [i, record] of records.entries()) {
    const size = sizeOf(record);
    if (i > from && (i - from >= maxRecords || bytes + size > maxBytes)) {
      yield records.slice(from, i);
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < records.length) yield from === 0 ? records : records.slice(from);
}

export function sizeOf({ key, value }: SourceRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}
