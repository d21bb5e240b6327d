import { expect, test } from "vitest";
import { decide, type Action, type Running, type Wanted } from "./reconcile-decide.ts";

const problem = { code: "approval-missing", message: "Nobody has approved it." };
const want = (release: string, more: Partial<Wanted> = {}): Wanted => ({
  environment: "production",
  name: "delays",
  release,
  topic: "flights",
  ...more,
});
const run = (release: string, more: Partial<Running> = {}): Running => ({
  environment: "production",
  name: "delays",
  release,
  topic: "flights",
  ...more,
});
const at = { environment: "production", name: "delays" };

const cases: [what: string, Wanted[], Running[], Action[]][] = [
  ["nothing wanted, nothing running", [], [], []],
  ["wanted and not running starts", [want("a")], [], [{ ...at, kind: "start", release: "a" }]],
  ["running as wanted is kept", [want("a")], [run("a")], [{ ...at, kind: "keep", release: "a" }]],
  [
    "another release swaps",
    [want("b")],
    [run("a")],
    [{ ...at, kind: "swap", from: "a", release: "b" }],
  ],
  [
    "another topic is a swap too",
    [want("a", { topic: "flights-v2" })],
    [run("a")],
    [{ ...at, kind: "swap", from: "a", release: "a" }],
  ],
  ["no longer wanted stops", [], [run("a")], [{ ...at, kind: "stop", release: "a" }]],
  [
    "a refused release leaves what runs running",
    [want("b", { refusal: problem })],
    [run("a")],
    [{ ...at, kind: "refuse", release: "b", problem, stillRunning: "a" }],
  ],
  [
    "a refused release starts nothing",
    [want("b", { refusal: problem })],
    [],
    [{ ...at, kind: "refuse", release: "b", problem, stillRunning: null }],
  ],
  [
    "environments do not mix, and stops come first",
    [want("a", { environment: "a-staging" })],
    [run("a")],
    [
      { ...at, kind: "stop", release: "a" },
      { kind: "start", environment: "a-staging", name: "delays", release: "a" },
    ],
  ],
];

test.each(cases)("%s", (_, wanted, running, actions) => {
  expect(decide(wanted, running)).toEqual(actions);
});
