import { describe, expect, test } from "vitest";
import { analyseCell } from "./analysis.ts";
import type { Operation } from "./document.ts";
import { matchCells } from "./match-cells.ts";
import { serialise, sourceOf } from "./notebook.ts";
import { apply, startSession } from "./session.ts";
import {
  cellOf,
  graphOf,
  inputKeys,
  type Effect,
  type Happening,
  type Session,
} from "./session-state.ts";
import { documentOf } from "./session-document.ts";

const text = "// %%\nconst a = 1;\n// %%\nconst b = a;\n// %%\nconst c = b;\n// %%\nconst d = 4;\n";

/** Runs what the session asks to run: a cell's values are keyed by its code and inputs, or by `values` when given. */
function settle(
  session: Session,
  effects: Effect[],
  ran: string[],
  values: Record<string, string> = {},
): Session {
  let now = session;
  let todo = effects;
  for (;;) {
    const run = todo.find((effect) => effect.type === "run");
    if (!run) return now;
    ran.push(run.cell);
    now = apply(now, { type: "started", cell: run.cell, at: 1 }).session;
    ({ session: now, effects: todo } = apply(now, finishedRun(now, run.cell, values)));
  }
}

function finishedRun(
  session: Session,
  cell: string,
  values: Record<string, string> = {},
): Happening {
  const found = cellOf(session, cell);
  const { fingerprint, defines } = analyseCell(found ? sourceOf(found) : "");
  const inputs = inputKeys(session, cell, graphOf(session));
  const key = (name: string) => values[name] ?? `${fingerprint}|${JSON.stringify(inputs)}`;
  const run = {
    isOk: !fingerprint.includes("boom"),
    fingerprint,
    inputs,
    values: Object.fromEntries(defines.map((name) => [name, key(name)])),
  };
  return {
    type: "finished",
    cell,
    run,
    outputs: [],
    variables: [],
    durationMs: 1,
    fromCache: false,
  };
}

function play(
  steps: (Operation | Happening)[],
  values: Record<string, string> = {},
): { session: Session; ran: string[]; statuses: string; effects: Effect[] } {
  let session = startSession("n", "notebooks/n.ts", text);
  const ran: string[] = [];
  let effects: Effect[] = [];
  for (const step of steps) {
    const applied = apply(session, step);
    effects = applied.effects;
    session = settle(applied.session, effects, ran, values);
  }
  const statuses = documentOf(session, { isReduced: false })
    .cells.map((cell) => cell.status)
    .join(" ");
  return { session, ran, statuses, effects };
}

const runAll: Operation = { type: "runAll" };

describe("what runs, and what is stale", () => {
  const cases: [string, (Operation | Happening)[], string, string][] = [
    ["nothing ran yet", [], "", "idle idle idle idle"],
    ["run all, in the order of the file", [runAll], "c1 c2 c3 c4", "ok ok ok ok"],
    ["run takes along what it needs", [{ type: "run", cells: ["c2"] }], "c1 c2", "ok ok idle idle"],
    [
      "an edit makes only its dependents stale",
      [runAll, { type: "edit", cell: "c2", source: "const b = a + 1;" }],
      "c1 c2 c3 c4",
      "ok stale stale ok",
    ],
    [
      "undoing the edit undoes that",
      [
        runAll,
        { type: "edit", cell: "c2", source: "const b = a + 1;" },
        { type: "edit", cell: "c2", source: "const b = a;" },
      ],
      "c1 c2 c3 c4",
      "ok ok ok ok",
    ],
    [
      "a comment makes nothing stale",
      [runAll, { type: "edit", cell: "c1", source: "const a = 1; // one" }],
      "c1 c2 c3 c4",
      "ok ok ok ok",
    ],
    [
      "run stale runs those and no other",
      [runAll, { type: "edit", cell: "c2", source: "const b = a + 1;" }, { type: "runStale" }],
      "c1 c2 c3 c4 c2 c3",
      "ok ok ok ok",
    ],
    [
      "asked for again, it runs again; its dependents stay when the value is the same",
      [runAll, { type: "run", cells: ["c1"] }],
      "c1 c2 c3 c4 c1",
      "ok ok ok ok",
    ],
    [
      "a failed cell leaves its dependents stale",
      [
        runAll,
        { type: "edit", cell: "c1", source: "const a = boom;" },
        { type: "run", cells: ["c1"] },
      ],
      "c1 c2 c3 c4 c1",
      "error stale stale ok",
    ],
    [
      "a disabled cell defines nothing",
      [runAll, { type: "setDisabled", cell: "c1", disabled: true }],
      "c1 c2 c3 c4",
      "disabled stale stale ok",
    ],
    [
      "removing a definer makes its users stale",
      [runAll, { type: "remove", cell: "c1" }],
      "c1 c2 c3 c4",
      "stale stale ok",
    ],
    [
      "a new cell is idle",
      [runAll, { type: "insert", after: "c1", kind: "code", source: "a" }],
      "c1 c2 c3 c4",
      "ok idle ok ok ok",
    ],
    [
      "the file changed on disk: other cells keep their results",
      [runAll, { type: "disk", text: text.replace("b = a", "b = 2") }],
      "c1 c2 c3 c4",
      "ok stale stale ok",
    ],
  ];
  test.each(cases)("%s", (_, steps, ran, statuses) => {
    const played = play(steps);
    expect([played.ran.join(" "), played.statuses]).toEqual([ran, statuses]);
  });

  test("a rerun that makes the same value makes nothing stale, and what waited behind it is passed over", () => {
    const same = { a: "same" };
    const steps: Operation[] = [
      runAll,
      { type: "edit", cell: "c1", source: "const a = 2 - 1;" },
      { type: "runStale" },
    ];
    expect(play(steps, same)).toMatchObject({
      ran: ["c1", "c2", "c3", "c4", "c1"],
      statuses: "ok ok ok ok",
    });
  });
});

describe("one cell at a time", () => {
  test("the rest waits, an interrupt empties the queue and leaves every other result", () => {
    let { session, effects } = apply(startSession("n", "p", text), runAll);
    expect(effects.filter((effect) => effect.type === "run")).toEqual([
      { type: "run", cell: "c1" },
    ]);
    expect(documentOf(session, { isReduced: false }).cells.map((cell) => cell.status)).toEqual([
      "running",
      "queued",
      "queued",
      "queued",
    ]);
    ({ session } = apply(session, finishedRun(session, "c1")));
    ({ session, effects } = apply(session, { type: "interrupt" }));
    expect(effects).toContainEqual({ type: "interrupt" });
    const problem = { code: "interrupted", message: "Interrupted." };
    ({ session } = apply(session, { type: "interrupted", cell: "c2", problem, durationMs: 5 }));
    const { cells } = documentOf(session, { isReduced: false });
    expect(cells.map((cell) => cell.status)).toEqual(["ok", "error", "idle", "idle"]);
    expect(cells[1]?.outputs).toEqual([{ kind: "problem", problem }]);
  });
});

describe("the file", () => {
  test("save writes the text, and knows it is saved once it is written", () => {
    const edited = play([{ type: "edit", cell: "c4", source: "const d = 5;" }]).session;
    const { effects } = apply(edited, { type: "save" });
    const written = text.replace("d = 4", "d = 5");
    expect(effects).toEqual([{ type: "write", text: written, expected: text }]);
    expect(documentOf(edited, { isReduced: false }).isDirty).toBe(true);
    expect(
      documentOf(apply(edited, { type: "written", text: written }).session, { isReduced: false })
        .isDirty,
    ).toBe(false);
  });
  test("changed on disk under edits: a conflict, and neither is lost", () => {
    const { session } = play([
      { type: "edit", cell: "c4", source: "const d = 5;" },
      { type: "disk", text: text.replace("a = 1", "a = 9") },
    ]);
    expect(session.conflict?.code).toBe("changed-on-disk");
    expect(serialise(session.notebook)).toContain("d = 5");
  });
  test("an operation on a cell that is gone is a problem, not a crash", () => {
    expect(play([{ type: "edit", cell: "c99", source: "" }]).effects[0]).toMatchObject({
      type: "problem",
      problem: { code: "no-cell" },
    });
  });
});

describe("cells keep their identity by their text", () => {
  const cases: [string[], string[], (number | undefined)[]][] = [
    [
      ["a", "b", "c"],
      ["a", "b", "c"],
      [0, 1, 2],
    ],
    [
      ["a", "b", "c"],
      ["c", "a"],
      [2, 0],
    ],
    [
      ["a", "b", "c"],
      ["a", "B", "c"],
      [0, 1, 2],
    ],
    [
      ["a", "c"],
      ["a", "b", "c"],
      [0, undefined, 1],
    ],
    [
      ["x", "x"],
      ["x", "x", "x"],
      [0, 1, undefined],
    ],
    [[], ["a"], [undefined]],
  ];
  test.each(cases)("%j → %j", (before, after, expected) => {
    expect(matchCells(before, after)).toEqual(expected);
  });
});
