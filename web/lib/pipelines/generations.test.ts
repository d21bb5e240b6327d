import { expect, test } from "vitest";
import type { DesiredEnvironment } from "./board.ts";
import { hasGenerations, sentenceOf, turnText } from "./generations.ts";

const index = (generation: number, isRead: boolean, isWritten: boolean) => ({
  generation,
  index: `delays-00000${generation}`,
  rows: 1000 * generation,
  isRead,
  isWritten,
});

test("only a pipeline that writes to Elasticsearch has indices", () => {
  const on = (sinks: unknown[], where: Partial<DesiredEnvironment> = {}): DesiredEnvironment => ({
    name: "staging",
    kind: "servers",
    approvals: 0,
    pipelines: { delays: { release: "a", topic: "flights", sinks } },
    elasticsearch: { nodes: ["http://e:9200"], prefix: "" },
    ...where,
  });
  expect(hasGenerations(on(["table", "search"]), "delays")).toBe(true);
  expect(hasGenerations(on(["table", { topic: "search" }]), "delays")).toBe(false);
  expect(hasGenerations(on(["search"]), "routes")).toBe(false);
  const embedded = on(["search"]);
  delete embedded.elasticsearch;
  expect(hasGenerations(embedded, "delays")).toBe(false);
  expect(hasGenerations(undefined, "delays")).toBe(false);
});

test.each([
  ["1 index; people read what is written", [index(1, true, true)]],
  ["2 indices; people read what is written", [index(2, true, true), index(1, false, false)]],
  [
    "2 indices; people read another than is written",
    [index(2, false, true), index(1, true, false)],
  ],
  ["1 index; the next start makes another, to write to", [index(1, true, false)]],
  ["1 index, of which people read none", [index(1, false, true)]],
])("%s", (sentence, generations) => {
  expect(sentenceOf(generations)).toBe(sentence);
});

test("before readers are turned, what they will see is told", () => {
  const both = [index(2, false, true), index(1, true, false)] as const;
  expect(turnText(both, both[0])).toMatch(/2,000 rows instead of 1,000\. .* until a backfill/);
  const back = [index(2, true, true), index(1, false, false)] as const;
  expect(turnText(back, back[1])).toMatch(/1,000 rows instead of 2,000\. It is not what is/);
});
