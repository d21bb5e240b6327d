import type { Decoded } from "./decode.ts";
import { messageOf, placeOf, type ErrorPlace } from "./errors.ts";
import type { MetricValue } from "./metric-runner.ts";

/** Rows that a metric could not be computed for: how many, and the first. */
export function failures() {
  let failed = 0;
  let first: MetricValue["first"];
  const note = (message: string, place: ErrorPlace = {}): void => {
    failed += 1;
    first ??= { message, ...place };
  };
  return {
    note,
    threw: (error: unknown): void => note(messageOf(error), placeOf(error)),
    said: (): Pick<MetricValue, "failed" | "first"> => ({ failed, ...(first ? { first } : {}) }),
  };
}

/** The rows of a batch that could be read; `refused` is told of the others. */
export function* readableRows(
  length: number,
  decoded: readonly Decoded[],
  refused: (message: string) => void,
): Generator<number> {
  const refusing = decoded.filter((column) => column.refusals.size > 0);
  for (let row = 0; row < length; row += 1) {
    const column = refusing.find(({ refusals }) => refusals.has(row));
    if (column === undefined) yield row;
    else refused(column.refusals.get(row) ?? "");
  }
}
