import { expect, test } from "vitest";
import { NOTHING, type Progress } from "../order/progress.ts";
import { commandOf } from "./command-of.ts";
import type { WorkerReport } from "./workers.ts";

const problem = { code: "no", message: "No." };
const known = { resumes: 1, halts: 1 };

test.each<[WorkerReport["state"], Partial<Progress>, ReturnType<typeof commandOf>]>([
  ["running", {}, undefined],
  ["running", { isPaused: true }, "pause"],
  ["running", { isPaused: true, halts: 2, halted: problem }, "pause"],
  ["running", { halts: 2, halted: problem }, { halt: problem }],
  // Of before this worker began, which tries for itself.
  ["running", { halts: 1, halted: problem }, undefined],
  // Resumed by now.
  ["running", { halts: 2, resumes: 2 }, undefined],
  ["halted", { halts: 2, halted: problem }, undefined],
  ["halted", { resumes: 2 }, "resume"],
  ["paused", { resumes: 2 }, "resume"],
  ["paused", { resumes: 2, isPaused: true }, undefined],
  ["starting", { isPaused: true, resumes: 2, halts: 2, halted: problem }, undefined],
  ["stopped", { isPaused: true, resumes: 2, halts: 2, halted: problem }, undefined],
])("a worker that is %s, asked %o, obeys: %o", (state, asked, command) => {
  const progress = { isPaused: false, counts: NOTHING, ...known, ...asked };
  expect(commandOf(state, progress, known)).toEqual(command);
});
