import type { Operation } from "#kernel/document.ts";
import type { CellView } from "./cell-view.svelte.ts";

type Cells = readonly Pick<CellView, "id" | "text" | "state">[];

/** The operations that take a structural change back; undefined for what has no way back here (a run, a save). */
export function inverse(op: Operation, cells: Cells): Operation[] | undefined {
  if (op.type === "remove") return restored(op.cell, cells);
  if (op.type === "move") {
    const at = cells.findIndex((cell) => cell.id === op.cell);
    return at < 0 ? undefined : [{ type: "move", cell: op.cell, after: cells[at - 1]?.id ?? null }];
  }
  if (op.type === "setDisabled")
    return [{ type: "setDisabled", cell: op.cell, disabled: !op.disabled }];
  return undefined;
}

function restored(id: string, cells: Cells): Operation[] | undefined {
  const at = cells.findIndex((cell) => cell.id === id);
  const cell = cells[at];
  if (!cell) return undefined;
  return [
    { type: "insert", after: cells[at - 1]?.id ?? null, kind: cell.state.kind, source: cell.text },
  ];
}
