import { isTable, type Table, type TableSource } from "./descriptors.ts";
import type { SplitHow } from "./expressions.ts";

type Options = { seed?: unknown };

/** `split(table)`: two tables that share no row and leave none out. The share, and what lies from the time on, is the test part. */
export function createSplit(table: (source: TableSource) => Table) {
  return (input: unknown): unknown => {
    if (!isTable(input)) {
      throw new TypeError("split() takes a table: split(flights).random(0.2, { seed: 1 }).");
    }
    const parts = (how: SplitHow): unknown =>
      Object.freeze({
        train: table({ kind: "split", input, part: "train", how: Object.freeze(how) }),
        test: table({ kind: "split", input, part: "test", how: Object.freeze(how) }),
      });
    return Object.freeze({
      random: (share: unknown, options: Options = {}) =>
        parts({ by: "random", share: shareOf(share), seed: seedOf(options) }),
      byKey: (columns: unknown, share: unknown, options: Options = {}) =>
        parts({
          by: "key",
          columns: columnsOf(columns),
          share: shareOf(share),
          seed: seedOf(options),
        }),
      byTime: (column: unknown, from: unknown) => {
        if (typeof from !== "string" || from === "") {
          throw new TypeError(
            'byTime takes the column, then when the test part begins, as text: split(flights).byTime("date", "2001-03-01").',
          );
        }
        const [name = ""] = columnsOf(column);
        return parts({ by: "time", column: name, from });
      },
    });
  };
}

function shareOf(share: unknown): number {
  if (typeof share === "number" && share > 0 && share < 1) return share;
  throw new TypeError(
    "A split takes the test part's share, between 0 and 1: split(flights).random(0.2, { seed: 1 }).",
  );
}

function seedOf({ seed = 0 }: Options): number {
  if (typeof seed === "number" && Number.isSafeInteger(seed)) return seed;
  throw new TypeError("A split's seed is a whole number: { seed: 1 }.");
}

function columnsOf(columns: unknown): string[] {
  const names: unknown[] = Array.isArray(columns) ? columns : [columns];
  const texts = names.filter((name) => typeof name === "string" && name !== "");
  if (texts.length === names.length && texts.length > 0) return texts as string[];
  throw new TypeError('A split names its column: split(flights).byKey("origin", 0.2).');
}
