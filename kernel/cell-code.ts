import { stripTypeScriptTypes } from "node:module";
import ts from "typescript";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { hasModifier, type CellAnalysis } from "./analysis.ts";

/** A cell as the interactive guest runs it: the body of an async function that returns what the cell defines. */
export type CellCode = {
  code: string;
  /** Names returned, with `__last` for the value of the last expression. */
  defines: string[];
  /** Where code was put in front of the cell's own, so that a position can be taken back to the text. */
  inserted: { line: number; column: number; length: number }[];
};

type Edit = { start: number; end: number; text: string };

/**
 * Blanks types and imports in place (positions stay as they are), and adds what hands the values out.
 * `modules` gives, per specifier other than "penstock", the name of a function declared in `prelude` that returns the module.
 */
export function cellCode(
  source: string,
  analysis: CellAnalysis,
  modules: { prelude: string; access: Record<string, string> } = { prelude: "", access: {} },
): Result<CellCode> {
  const edits: Edit[] = [];
  const inserted: CellCode["inserted"] = [];
  const { file } = analysis;
  const insert = (offset: number, text: string): void => {
    const { line, character } = file.getLineAndCharacterOfPosition(offset);
    edits.push({ start: offset, end: offset, text });
    inserted.push({ line: line + 1, column: character + 1, length: text.length });
  };

  for (const { node, start, end } of analysis.statements) {
    if (ts.isImportDeclaration(node)) {
      edits.push({ start, end, text: importText(node, source.slice(start, end), modules.access) });
    } else if (ts.isExportDeclaration(node)) {
      edits.push({ start, end, text: blank(source.slice(start, end)) });
    } else if (hasModifier(node, ts.SyntaxKind.ExportKeyword)) {
      edits.push({ start, end: start + "export".length, text: "      " });
    }
  }
  const last = analysis.statements.at(-1);
  const showsLast =
    last !== undefined && ts.isExpressionStatement(last.node) && !isSilent(last.node.expression);
  let closing = "";
  if (last && showsLast && ts.isExpressionStatement(last.node)) {
    insert(last.start, "const __last = (");
    const expressionEnd = last.node.expression.getEnd();
    edits.push({ start: expressionEnd, end: last.end, text: ")" });
    closing = ";";
  }
  const defines = analysis.defines.filter((name) => analysis.kinds[name] !== "type");
  const returned = showsLast ? [...defines, "__last"] : defines;
  const plain = stripped(apply(source, edits));
  if (!plain.ok) return plain;
  const code = `${plain.value}${closing}\nreturn { ${returned.join(", ")} };${modules.prelude === "" ? "" : `\n${modules.prelude}`}`;
  return ok({ code, defines: returned, inserted });
}

/** The position in the cell's text of a position in its code. */
export function placeInCell(
  { inserted }: Pick<CellCode, "inserted">,
  place: { line: number; column: number },
): { line: number; column: number } {
  const shift = inserted
    .filter((edit) => edit.line === place.line && place.column > edit.column)
    .reduce((sum, edit) => sum + Math.min(edit.length, place.column - edit.column), 0);
  return { line: place.line, column: place.column - shift };
}

/** Statements whose value says nothing: an assignment's value is not what a person wants to see. */
function isSilent(expression: ts.Expression): boolean {
  if (ts.isBinaryExpression(expression))
    return (
      expression.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      expression.operatorToken.kind <= ts.SyntaxKind.LastAssignment
    );
  return false;
}

function importText(
  node: ts.ImportDeclaration,
  text: string,
  access: Record<string, string>,
): string {
  const specifier = ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : "";
  const open = access[specifier];
  const clause = node.importClause;
  if (open === undefined || !clause || clause.phaseModifier === ts.SyntaxKind.TypeKeyword)
    return blank(text);
  const parts: string[] = [];
  if (clause.name) parts.push(`${clause.name.text} = ${open}().default`);
  const bindings = clause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) parts.push(`${bindings.name.text} = ${open}()`);
  if (bindings && ts.isNamedImports(bindings)) {
    const names = bindings.elements
      .filter((element) => !element.isTypeOnly)
      .map((element) =>
        element.propertyName
          ? `${element.propertyName.text}: ${element.name.text}`
          : element.name.text,
      );
    if (names.length > 0) parts.push(`{ ${names.join(", ")} } = ${open}()`);
  }
  if (parts.length === 0) return blank(text);
  return `const ${parts.join(", ")};` + blank(text).replace(/^ */, "");
}

/** Node warns once that its type stripping is experimental; that is no news for somebody who runs a cell. */
function stripQuietly(code: string): string {
  const warn = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(code, { mode: "strip" });
  } finally {
    process.emitWarning = warn;
  }
}

function stripped(code: string): Result<string> {
  try {
    return ok(stripQuietly(code));
  } catch (error) {
    const problem: Problem = {
      code: "unsupported-syntax",
      message:
        error instanceof Error ? firstLine(error.message) : "The cell could not be compiled.",
      hint: "Use syntax that is JavaScript once its types are taken out: no enum, namespace or parameter property.",
    };
    return fail(problem);
  }
}

function firstLine(message: string): string {
  return (message.split("\n").find((line) => line.trim() !== "") ?? message)
    .replace(/^\s*x\s*/, "")
    .trim();
}

function apply(text: string, edits: Edit[]): string {
  let at = 0;
  let out = "";
  for (const edit of edits.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    out += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return out + text.slice(at);
}

function blank(text: string): string {
  return text.replace(/[^\r\n]/g, " ");
}
