import { expect, test } from "vitest";
import { eachOnce, type WorkerReport } from "./workers.ts";

test("of each partition one worker tells: who reads it, else the first of those that wait; another pipeline's are its own", () => {
  const told = eachOnce([
    reportOf("b", "halted", [0, 1, 2]),
    reportOf("a", "halted", [0, 1, 2]),
    reportOf("c", "running", [1]),
    { ...reportOf("b", "paused", [1, 2]), name: "others" },
  ]);
  expect(told.map(({ partitions }) => partitions.map(({ partition }) => partition))).toEqual([
    [],
    [0, 2],
    [1],
    [1, 2],
  ]);
});

function reportOf(
  worker: string,
  state: WorkerReport["state"],
  partitions: readonly number[],
): WorkerReport {
  const place = { topic: "flights", epoch: 1024, offset: 5, end: 5 };
  return {
    environment: "staging",
    name: "delays",
    release: "r",
    topic: "flights",
    worker,
    pid: 1,
    host: "here",
    state,
    backoffs: {},
    partitions: partitions.map((partition) => ({ ...place, partition })),
    isMeasured: true,
    sinks: [],
    recordsPerSecond: 0,
    history: [],
    guestRestarts: 0,
  };
}
