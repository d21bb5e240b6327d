import { expect, test } from "vitest";
import type { CellState, Operation } from "#kernel/document.ts";
import { inverse } from "./undo.ts";

const state: CellState = {
  id: "",
  kind: "code",
  source: "",
  disabled: false,
  status: "ok",
  defines: [],
  uses: [],
  outputs: [],
};
const cells = ["a", "b", "c"].map((id) => ({ id, text: `text of ${id}`, state: { ...state, id } }));

const cases: [what: string, op: Operation, back: Operation[] | undefined][] = [
  [
    "a deleted cell comes back where it was, as it was last written",
    { type: "remove", cell: "b" },
    [{ type: "insert", after: "a", kind: "code", source: "text of b" }],
  ],
  [
    "the first cell comes back at the top",
    { type: "remove", cell: "a" },
    [{ type: "insert", after: null, kind: "code", source: "text of a" }],
  ],
  [
    "a moved cell goes back below the one it stood under",
    { type: "move", cell: "c", after: "a" },
    [{ type: "move", cell: "c", after: "b" }],
  ],
  [
    "a disabled cell is enabled",
    { type: "setDisabled", cell: "a", disabled: true },
    [{ type: "setDisabled", cell: "a", disabled: false }],
  ],
  ["a run has no way back", { type: "runAll" }, undefined],
  ["nor has a cell that is not there", { type: "remove", cell: "x" }, undefined],
];

test.each(cases)("%s", (_what, op, back) => {
  expect(inverse(op, cells)).toEqual(back);
});
