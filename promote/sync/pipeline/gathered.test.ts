import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { firstEpoch } from "../fixture.ts";
import { openGathered, type JudgedPortion } from "./gathered.ts";
import type { SourceRecord } from "../ports.ts";
import { NOTHING } from "../order/progress.ts";
import type { Judged } from "./transform-stage.ts";

const id = { name: "id", type: "INTEGER", nullable: false };
const decoder = unwrap(openJsonDecoder({ input: [id], key: ["id"] }));
const contract = { key: decoder.key, columns: [id], maxParts: 1 };
const tuning = { maxRecords: 16, maxBytes: 4000, lingerMs: 0 };

/** What it was told of what became of it, in `told`. */
function portion(
  release: string,
  partition: number,
  values: readonly (number | "broken" | "deleted")[],
  told: string[] = [],
): JudgedPortion {
  const stretch = { topic: "t", incarnation: "i", partition };
  const epoch = firstEpoch(stretch, release);
  const records = values.map((value, offset): SourceRecord => {
    const text = value === "broken" ? "{" : `{"id":${value}}`;
    const isDeleted = value === "deleted";
    return {
      offset,
      timestampMs: 0,
      headers: [],
      key: isDeleted ? Buffer.from("7") : null,
      value: isDeleted ? null : Buffer.from(text),
    };
  });
  return {
    stretch,
    epoch,
    records,
    contract,
    decoded: decoder.decode(records, partition),
    async finish({ counts }) {
      told.push(`${partition}: ${counts.read}`);
    },
  };
}

const finish = (batch: Judged | undefined): Promise<void> | undefined =>
  batch?.finish([{ counts: NOTHING, deadLetters: [] }]);

test("portions of one release become one batch, in the order in which they came; another release begins another", () => {
  const gathered = openGathered(tuning);
  expect(gathered.isEmpty()).toBe(true);
  gathered.add(portion("a", 0, [1, "broken"]));
  gathered.add(portion("a", 2, ["deleted", 2, 3]));
  gathered.add(portion("b", 1, [4]));
  gathered.add(portion("a", 1, [5]));
  const { batches, isSmall } = gathered.take();
  expect(isSmall).toBe(false);
  expect(
    batches.map(({ release, portions }) => [
      release,
      portions.map(({ stretch }) => stretch.partition),
    ]),
  ).toEqual([
    ["a", [0, 2]],
    ["b", [1]],
    ["a", [1]],
  ]);
  expect(gathered.isEmpty()).toBe(true);
  expect(gathered.take()).toEqual({ batches: [], isSmall: false });

  const joint = batches[0];
  expect(joint?.records.map(({ offset }) => offset)).toEqual([0, 1, 0, 1, 2]);
  expect(joint?.decoded).toMatchObject({
    rows: 3,
    recordOfRow: Int32Array.of(0, 3, 4),
    values: [[1, 2, 3]],
    identities: [[1, 7, 2, 3]],
    keyRow: Int32Array.of(0, -1, 1, 2, 3),
    tombstones: [2],
    failures: [{ record: 1, stage: "decode" }],
  });
  const alone = portion("a", 0, [1, 7, 2, 3]).decoded;
  expect(joint?.decoded.keys()).toEqual(alone.keys());
  expect(joint?.decoded.encode(1, 3)).toEqual(alone.encode(2, 4));
});

test("what is a batch by itself is enough; room is what may come on top", () => {
  const gathered = openGathered(tuning);
  gathered.add(portion("a", 0, [1, 2, 3]));
  expect(gathered.isEnough()).toBe(false);
  expect(gathered.room()).toEqual({ maxRecords: 13, maxBytes: 4000 - 24 });
  gathered.add(portion("a", 1, [4]));
  expect(gathered.isEnough()).toBe(true);
  gathered.take();
  expect(gathered.isEnough()).toBe(false);
  const large = openGathered({ ...tuning, maxBytes: 100 });
  large.add(portion("a", 0, [1, 2, 3]));
  expect(large.isEnough()).toBe(false);
  large.add(portion("a", 0, [1]));
  expect(large.isEnough()).toBe(true);
});

test("behind a small batch the next grows until that is finished, or is enough", async () => {
  const gathered = openGathered(tuning);
  gathered.add(portion("a", 0, [1]));
  expect(gathered.growsBehind()).toBeUndefined();
  const { batches, isSmall } = gathered.take();
  expect(isSmall).toBe(true);
  expect(gathered.growsBehind()).toBeUndefined();
  gathered.add(portion("a", 0, [2]));
  expect(gathered.growsBehind()).toBeDefined();
  gathered.add(portion("a", 1, [3, 4, 5]));
  expect(gathered.growsBehind()).toBeUndefined();
  gathered.take();

  gathered.add(portion("a", 0, [6]));
  const before = gathered.growsBehind();
  await finish(batches[0]);
  await before;
  expect(gathered.growsBehind()).toBeUndefined();
});

test("a batch that is enough lets the next go at once", () => {
  const gathered = openGathered(tuning);
  gathered.add(portion("a", 0, [1, 2, 3, 4]));
  gathered.take();
  gathered.add(portion("a", 0, [5]));
  expect(gathered.growsBehind()).toBeUndefined();
});

test("of batches of two releases the last is waited for", async () => {
  const gathered = openGathered(tuning);
  gathered.add(portion("a", 0, [1]));
  gathered.add(portion("b", 0, [2]));
  const [first, last] = gathered.take().batches;
  gathered.add(portion("b", 0, [3]));
  await finish(first);
  expect(gathered.growsBehind()).toBeDefined();
  await finish(last);
  expect(gathered.growsBehind()).toBeUndefined();
});

test("each portion is told what became of it, the first before any is waited for", async () => {
  const told: string[] = [];
  const gathered = openGathered(tuning);
  gathered.add(portion("a", 0, [1, 2], told));
  gathered.add(portion("a", 1, [3], told));
  const [batch] = gathered.take().batches;
  const settled = [2, 1].map((read) => ({ counts: { ...NOTHING, read }, deadLetters: [] }));
  const finishing = batch?.finish(settled);
  expect(told).toEqual(["0: 2", "1: 1"]);
  await finishing;
});
