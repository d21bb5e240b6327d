import type { Column } from "#snapshots/table.ts";
import type { Workspace } from "#snapshots/workspace.ts";
import { withoutDisabled } from "./bundle.ts";
import type { CellId, Diagnostic } from "./document.ts";
import type { Completion, LanguageInput } from "./language-service.ts";
import { sharedLanguage } from "./language.ts";
import { firstOffsets, serialise } from "./notebook.ts";
import { type Session } from "./session-state.ts";
import { generateTypes } from "./types.ts";

/** Type errors of a notebook's cells, at their places. */
export async function notebookDiagnostics(
  workspace: Workspace,
  fileName: string,
  session: Session,
  tables: Record<string, Column[]>,
): Promise<Diagnostic[]> {
  const input = inputOf(workspace, fileName, session, tables);
  const found = await sharedLanguage().diagnostics(input);
  return found.flatMap(({ start, end, severity, message }) => {
    const from = placeOf(session, start);
    const to = placeOf(session, end);
    if (!from) return [];
    const isSameCell = to?.cell === from.cell;
    const { cell, line, column } = from;
    const [endLine, endColumn] = isSameCell && to ? [to.line, to.column] : [line, column + 1];
    return [{ cell, line, column, endLine, endColumn, severity, message }];
  });
}

export async function notebookCompletions(
  workspace: Workspace,
  fileName: string,
  session: Session,
  tables: Record<string, Column[]>,
  at: { cell: CellId; line: number; column: number },
): Promise<Completion[]> {
  const offset = offsetOf(session, at);
  return offset === undefined
    ? []
    : sharedLanguage().completions(inputOf(workspace, fileName, session, tables), offset);
}

export async function notebookHover(
  workspace: Workspace,
  fileName: string,
  session: Session,
  tables: Record<string, Column[]>,
  at: { cell: CellId; line: number; column: number },
): Promise<string | undefined> {
  const offset = offsetOf(session, at);
  return offset === undefined
    ? undefined
    : sharedLanguage().hover(inputOf(workspace, fileName, session, tables), offset);
}

function inputOf(
  workspace: Workspace,
  fileName: string,
  session: Session,
  tables: Record<string, Column[]>,
): LanguageInput {
  return {
    fileName,
    text: withoutDisabled(serialise(session.notebook)),
    types: generateTypes(workspace),
    tables,
  };
}

function placeOf(
  session: Session,
  offset: number,
): { cell: CellId; line: number; column: number } | undefined {
  const offsets = firstOffsets(session.notebook);
  const index = offsets.findLastIndex((first) => first <= offset);
  const cell = session.notebook.cells[index];
  const id = session.ids[index];
  if (!cell || id === undefined || cell.kind !== "code") return undefined;
  const before = cell.body.slice(0, offset - (offsets[index] ?? 0)).split(/\r\n|\n|\r/);
  return { cell: id, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function offsetOf(
  session: Session,
  at: { cell: CellId; line: number; column: number },
): number | undefined {
  const index = session.ids.indexOf(at.cell);
  const cell = session.notebook.cells[index];
  const first = firstOffsets(session.notebook)[index];
  if (!cell || first === undefined || cell.kind !== "code") return undefined;
  const lines = cell.body.split(/(?<=\r\n|\n|\r(?!\n))/);
  const before = lines.slice(0, at.line - 1).join("").length;
  return first + Math.min(cell.body.length, before + at.column - 1);
}
