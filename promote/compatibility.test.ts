import { expect, test } from "vitest";
import { contractChanges, type OutputContract } from "./compatibility.ts";

const base: OutputContract = {
  columns: [
    { name: "id", type: "BIGINT", nullable: false },
    { name: "delay", type: "BIGINT", nullable: true },
  ],
  key: ["id"],
  maxParts: 2,
};
const [id, delay] = base.columns as [OutputContract["columns"][0], OutputContract["columns"][0]];

const cases: [what: string, OutputContract, [kind: string, breaks: boolean][]][] = [
  ["the same contract changes nothing", base, []],
  ["the order of columns is no promise", { ...base, columns: [delay, id] }, []],
  ["a removed column breaks", { ...base, columns: [id] }, [["removed", true]]],
  [
    "a new column does not",
    { ...base, columns: [id, delay, { name: "late", type: "BOOLEAN", nullable: false }] },
    [["added", false]],
  ],
  [
    "another type breaks, even a wider one",
    { ...base, columns: [id, { ...delay, type: "HUGEINT" }] },
    [["type", true]],
  ],
  [
    "null where none was breaks",
    { ...base, columns: [{ ...id, nullable: true }, delay] },
    [["nullable", true]],
  ],
  [
    "never null any more does not",
    { ...base, columns: [id, { ...delay, nullable: false }] },
    [["required", false]],
  ],
  ["another key breaks", { ...base, key: ["id", "delay"] }, [["key", true]]],
  ["fewer parts break", { ...base, maxParts: 1 }, [["parts", true]]],
  ["more parts do not", { ...base, maxParts: 3 }, [["parts", false]]],
];

test.each(cases)("%s", (_, after, expected) => {
  expect(contractChanges(base, after).map(({ kind, breaks }) => [kind, breaks])).toEqual(expected);
});
