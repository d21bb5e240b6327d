import { expect, test } from "vitest";
import { pipelineLines } from "./pipeline-lines.ts";

test("below the table stands why a pipeline does not flow, in a line that drives no terminal", () => {
  const counts = { read: 1, written: 1, filtered: 0, stale: 0, deadLettered: 0 };
  const status = { environment: "staging", name: "slow", release: "01793e20", ...counts };
  const moving = { lag: 0, recordsPerSecond: 0, sinks: [] };
  const problem = { message: "Expectation `fits` halts: city is \u009b2J\u202e" };
  const flowing = { ...status, ...moving, name: "fast", state: "flowing" };
  const halted = { ...status, ...moving, state: "halted", problem };
  expect(pipelineLines([flowing, halted], "  ").slice(3)).toEqual([
    "  staging:slow: Expectation `fits` halts: city is \\x9b2J\\u202e",
  ]);
});
