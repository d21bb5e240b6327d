import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { openOffsetCommits } from "./offset-commits.ts";

const at = (partition: number, next: number) => ({ topic: "t", partition, next, epoch: 1024 });

test("one request at a time; what is finished meanwhile goes with the next, the newest of each partition", async () => {
  const sent: [number, number][][] = [];
  let open = 0;
  const commits = openOffsetCommits({
    async commit(offsets) {
      expect(++open).toBe(1);
      sent.push(offsets.map(({ partition, next }) => [partition, next]));
      await delay(5);
      open--;
      return undefined;
    },
  });
  commits.add(at(0, 1));
  commits.add(at(0, 2));
  commits.add(at(1, 7));
  commits.add(at(0, 3));
  await commits.flush();
  expect(sent).toEqual([
    [[0, 1]],
    [
      [0, 3],
      [1, 7],
    ],
  ]);
  await commits.flush();
  commits.add(at(0, 9));
  await commits.flush();
  expect(sent.at(-1)).toEqual([[0, 9]]);
});

test("a source that fails holds nothing up", async () => {
  let asked = 0;
  const commits = openOffsetCommits({
    async commit() {
      asked++;
      throw new Error("away");
    },
  });
  commits.add(at(0, 1));
  await commits.flush();
  commits.add(at(0, 2));
  await commits.flush();
  expect(asked).toBe(2);
});

test("a source that does not answer is not waited for", async () => {
  let asked = 0;
  const commits = openOffsetCommits({
    commit() {
      asked++;
      return new Promise(() => undefined);
    },
  });
  commits.add(at(0, 1));
  await commits.flush();
  expect(asked).toBe(1);
});

test("what is finished at any moment of another request goes with the next", async () => {
  for (let turns = 0; turns < 10; turns++) {
    const sent: number[] = [];
    const commits = openOffsetCommits({
      async commit(offsets) {
        sent.push(...offsets.map(({ next }) => next));
        return undefined;
      },
    });
    commits.add(at(0, 1));
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    commits.add(at(0, 2));
    await commits.flush();
    expect(sent, `after ${turns} turns`).toEqual([1, 2]);
  }
});
