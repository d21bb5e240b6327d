import ts from "typescript";
import type { Column } from "#snapshots/table.ts";
import { rowType } from "./types.ts";

/** A text with row types put behind `sql`, and the way between its offsets and those of the text as written. */
export type TypedText = {
  text: string;
  toTyped(offset: number): number;
  toWritten(offset: number): number;
};

/** Puts the known row type of a query behind its `sql` tag, so that the checker knows the table's columns. */
export function typeQueries(text: string, tables: Record<string, Column[]>): TypedText {
  const file = ts.createSourceFile(
    "notebook.ts",
    text,
    ts.ScriptTarget.ESNext,
    true,
    ts.ScriptKind.TS,
  );
  const inserted: { at: number; text: string }[] = [];
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name) || !initializer || !ts.isTaggedTemplateExpression(initializer))
        continue;
      const columns = Object.hasOwn(tables, name.text) ? tables[name.text] : undefined;
      const isSql = ts.isIdentifier(initializer.tag) && initializer.tag.text === "sql";
      if (!columns || !isSql || initializer.typeArguments) continue;
      inserted.push({
        at: initializer.tag.getEnd(),
        text: `<${rowType(columns, "", 'import("penstock").Sql')}>`,
      });
    }
  }
  let typed = "";
  let at = 0;
  for (const insertion of inserted) {
    typed += text.slice(at, insertion.at) + insertion.text;
    at = insertion.at;
  }
  return {
    text: typed + text.slice(at),
    toTyped: (offset) =>
      inserted.reduce(
        (sum, insertion) => (insertion.at < offset ? sum + insertion.text.length : sum),
        offset,
      ),
    toWritten: (offset) => {
      let shift = 0;
      for (const insertion of inserted) {
        if (offset <= insertion.at + shift) break;
        if (offset < insertion.at + shift + insertion.text.length) return insertion.at;
        shift += insertion.text.length;
      }
      return offset - shift;
    },
  };
}
