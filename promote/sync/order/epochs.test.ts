import type { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { listEpochs, openAlike } from "./epochs.ts";
import { openSyncState } from "../state.ts";

const id = { environment: "staging", name: "delays" };
const other = { ...id, name: "arrivals" };
let state: DatabaseSync;
/** How many rows of epochs were read. */
let read: number;

beforeEach(() => {
  state = openSyncState(":memory:");
  state.prepare("insert into sync_releases values ('r', '{}', 'b')").run();
  read = 0;
  const prepare = state.prepare.bind(state);
  state.prepare = (sql) => {
    const statement = prepare(sql);
    const all = statement.all.bind(statement);
    statement.all = (...values: never[]) => {
      const rows = all(...values);
      if (sql.includes("from sync_epochs")) read += rows.length;
      return rows;
    };
    return statement;
  };
});

function open(of: typeof id, partition: number): void {
  const stretch = { topic: "t", incarnation: "i", partition };
  const epoch = { ...stretch, firstOffset: 0, release: "r", reason: "", openedAt: "" };
  openAlike(state, of, { ...epoch, partitions: 100 }, 0, "w");
}

const numbers = (of = id): number[] => listEpochs(state, of).map(({ epoch }) => epoch);

test("a partition more of a topic of a hundred reads no epoch of the others again", () => {
  for (let partition = 0; partition < 100; partition++) {
    open(id, partition);
    open(other, partition);
    listEpochs(state, id);
  }
  expect(numbers()).toEqual(Array.from({ length: 100 }, (_, n) => 1024 + n));
  expect(numbers(other)).toEqual(numbers());
  expect(read).toBe(200);
});

describe("epochs are those that there are", () => {
  test("after some are taken away, as in a copy put back", () => {
    for (const partition of [0, 1, 2]) open(id, partition);
    expect(numbers()).toEqual([1024, 1025, 1026]);
    state.exec("delete from sync_epochs where epoch > 1024");
    expect(numbers()).toEqual([1024]);
    state.exec("delete from sync_epochs");
    open(id, 7);
    expect(listEpochs(state, id)).toMatchObject([{ epoch: 1024, partition: 7 }]);
  });

  test("after what was read is rolled back", () => {
    open(id, 0);
    state.exec("begin");
    state.exec("update sync_epochs set epoch = 2000");
    expect(numbers()).toEqual([2000]);
    state.exec("rollback");
    expect(numbers()).toEqual([1024]);
  });
});
