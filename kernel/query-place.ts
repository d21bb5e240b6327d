import ts from "typescript";
import type { Problem } from "#snapshots/problem.ts";
import { placeInTemplate, type BoundQuery } from "./expression.ts";
import type { TableExpression } from "./guest/slice.ts";

/**
 * A query's problem, placed by DuckDB in the text it was given, placed where a person wrote that text: the line and column of
 * the notebook's file. Without the notebook, or where the template is not found in it, it has no place rather than a wrong one.
 */
export function placedQueryProblem(
  problem: Problem,
  expression: Extract<TableExpression, { kind: "sql" }>,
  query: BoundQuery,
  notebookText: string | undefined,
): Problem {
  const { offset, line: _line, column: _column, ...at } = problem.at ?? {};
  const found =
    offset === undefined || notebookText === undefined
      ? undefined
      : findTemplate(notebookText, expression.strings);
  if (offset === undefined || found === undefined) return { ...problem, at };
  const { piece, offset: within } = placeInTemplate(query, expression.strings, offset);
  const part = found.parts[piece];
  if (part === undefined) return { ...problem, at };
  const start = part.getStart(found.file) + 1;
  const raw = found.file.text.slice(start, part.getEnd());
  const { line, character } = found.file.getLineAndCharacterOfPosition(
    start + writtenLength(raw, within),
  );
  return { ...problem, at: { ...at, line: line + 1, column: character + 1 } };
}

type Part =
  | ts.NoSubstitutionTemplateLiteral
  | ts.TemplateHead
  | ts.TemplateMiddle
  | ts.TemplateTail;

/** The first `sql` template of the notebook whose texts are these. */
function findTemplate(
  text: string,
  strings: string[],
): { file: ts.SourceFile; parts: Part[] } | undefined {
  const file = ts.createSourceFile("notebook.ts", text, ts.ScriptTarget.ESNext, false);
  let found: Part[] | undefined;
  const visit = (node: ts.Node): void => {
    if (found !== undefined) return;
    if (
      ts.isTaggedTemplateExpression(node) &&
      ts.isIdentifier(node.tag) &&
      node.tag.text === "sql"
    ) {
      const { template } = node;
      const parts: Part[] = ts.isNoSubstitutionTemplateLiteral(template)
        ? [template]
        : [template.head, ...template.templateSpans.map((span) => span.literal)];
      if (parts.length === strings.length && parts.every((part, i) => part.text === strings[i]))
        found = parts;
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found && { file, parts: found };
}

/** How many characters as written make `length` characters of the template's text: escapes and CRLF are longer in the file. */
function writtenLength(raw: string, length: number): number {
  const units = /\r\n|\\(?:u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|[^])|[^]/g;
  let made = 0;
  let end = 0;
  while (made < length) {
    const unit = units.exec(raw);
    if (unit === null) return end;
    const isContinued = /^\\\r?\n$/.test(unit[0]);
    const isWide = unit[0].startsWith("\\u{") && Number.parseInt(unit[0].slice(3), 16) > 0xffff;
    if (!isContinued) made += isWide ? 2 : 1;
    end = units.lastIndex;
  }
  return end;
}
