import type { Operation } from "./document.ts";
import { parseNotebook, replaceCell, serialise, setDisabled } from "./notebook.ts";
import { disk, edited, insert, move, remove, withoutConflict } from "./session-edit.ts";
import { enqueue, finished, interrupt, interrupted, output, unfreshCells } from "./session-run.ts";
import { codeCells, tell, type Applied, type Happening, type Session } from "./session-state.ts";

export function startSession(name: string, path: string, text: string): Session {
  const notebook = parseNotebook(text);
  const ids = notebook.cells.map((_, index) => `c${index + 1}`);
  return {
    name,
    path,
    notebook,
    ids,
    records: {},
    savedText: text,
    queue: [],
    nextId: ids.length + 1,
  };
}

export function apply(session: Session, operation: Operation | Happening): Applied {
  switch (operation.type) {
    case "edit":
      return edited(session, operation.cell, (notebook, index) =>
        replaceCell(notebook, index, operation.source),
      );
    case "setDisabled":
      return edited(
        session,
        operation.cell,
        (notebook, index) => setDisabled(notebook, index, operation.disabled),
        "all",
      );
    case "insert":
      return insert(session, operation);
    case "remove":
      return remove(session, operation.cell);
    case "move":
      return move(session, operation.cell, operation.after);
    case "run":
      return enqueue(session, operation.cells);
    case "runStale":
      return enqueue(session, [], unfreshCells(session));
    case "runAll":
      return enqueue(session, codeCells(session));
    case "interrupt":
      return interrupt(session);
    case "save":
      return {
        session,
        effects: [
          { type: "write", text: serialise(session.notebook), expected: session.savedText },
        ],
      };
    case "reload":
      return { session, effects: [{ type: "readDisk" }] };
    case "started":
      return {
        session: { ...session, running: { cell: operation.cell, startedAt: operation.at } },
        effects: [tell(operation.cell)],
      };
    case "output":
      return output(session, operation.cell, operation.output);
    case "finished":
      return finished(session, operation);
    case "interrupted":
      return interrupted(session, operation);
    case "disk":
      return disk(session, operation.text);
    case "written":
      return {
        session: withoutConflict({ ...session, savedText: operation.text }),
        effects: [tell()],
      };
  }
}
