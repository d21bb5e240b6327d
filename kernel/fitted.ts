import ts from "typescript";
import { calleeName } from "./analysis.ts";
import type { SliceCell } from "./backward-slice.ts";
import { isTouched } from "./fitted-columns.ts";
import { freeReferences } from "./references.ts";

/**
 * Records of a snapshot: all of them, or those of the parts named. A split is known by how it splits and how many by hash came before: it then splits
 * alike whatever it is called on (split-query.ts).
 */
type Rows = { snapshot: string; parts: { split: string; part: "train" | "test" }[] };

/**
 * Where a metric is judged on rows that something it judges was fitted on: a lookup or a captured value of the transform, computed from the same snapshot
 * without a split between them. By the metric's name; metrics of one name share theirs. From the text alone: what a query leaves out with `where` is not seen, so these are warnings.
 */
export function fittedWarnings(cells: SliceCell[]): Map<string, string[]> {
  const notebook = definitions(cells);
  const warnings = new Map<string, string[]>();
  for (const { analysis } of cells)
    for (const { node, isMetric } of analysis.statements)
      if (isMetric)
        for (const call of metricCalls(node)) {
          const [name, table, ...functions] = call.arguments;
          if (!name || !ts.isStringLiteralLike(name) || !table) continue;
          const isFree = calleeName(call) === "metric";
          const own = warningsOf(notebook, table, { functions, isFree });
          warnings.set(name.text, [...new Set([...(warnings.get(name.text) ?? []), ...own])]);
        }
  return warnings;
}

type Notebook = ReturnType<typeof definitions>;
type Definition = { value: ts.Expression; part?: "train" | "test" };

function warningsOf(
  notebook: Notebook,
  table: ts.Expression,
  { functions, isFree }: { functions: ts.Expression[]; isFree: boolean },
): string[] {
  const judged = notebook.rowsOf(table);
  const found = new Set<string>();
  const check = (
    user: string,
    values: readonly ts.Expression[],
    touches: (name: string) => boolean,
  ) => {
    for (const value of values)
      for (const { name } of freeReferences(value)) {
        const rows = notebook.reached(name);
        const both = judged.find((one) => rows.some((other) => overlap(one, other)));
        if (!both || !touches(name)) continue;
        found.add(
          `\`${name}\`, which ${user} uses, was computed from ${shown(both)}: the rows this is judged on. Fit it on the train part of a split, and judge on the test part.`,
        );
      }
  };
  check("the metric", functions, () => true);
  for (const { name, call } of notebook.transformsOf(table)) {
    const values = call.arguments.slice(1);
    check(`\`${name}\``, values, (used) => isFree || isTouched(call, used, functions));
  }
  return [...found];
}

/** What the notebook's names stand for, as far as rows go. */
function definitions(cells: SliceCell[]) {
  const values = new Map<string, Definition>();
  const statements = new Map<string, ts.Statement[]>();
  for (const { analysis } of cells)
    for (const { node, defines, uses, isDisplay } of analysis.statements) {
      // What declares nothing may fill what it uses, as a loop does; what only shows it does not.
      for (const name of defines.length > 0 ? defines : isDisplay ? [] : uses)
        statements.set(name, [...(statements.get(name) ?? []), node]);
      if (ts.isVariableStatement(node))
        for (const declaration of node.declarationList.declarations) define(declaration);
    }
  const known = new Map<string, Rows[]>();
  return { rowsOf, reached, transformsOf };

  function define({ name, initializer }: ts.VariableDeclaration): void {
    if (!initializer) return;
    if (ts.isIdentifier(name)) values.set(name.text, { value: initializer });
    else if (ts.isObjectBindingPattern(name))
      for (const element of name.elements) {
        const part = (element.propertyName ?? element.name).getText();
        if (ts.isIdentifier(element.name))
          values.set(element.name.text, { value: initializer, ...(isPart(part) ? { part } : {}) });
      }
  }

  /** The records a table's rows were made from. */
  function rowsOf(expression: ts.Expression): Rows[] {
    const node = bare(expression);
    if (ts.isIdentifier(node)) return reached(node.text);
    if (ts.isTaggedTemplateExpression(node)) return spans(node).flatMap(rowsOf);
    const callee = calleeName(node);
    if (ts.isPropertyAccessExpression(node) && isPart(node.name.text))
      return partOf(node.expression, node.name.text);
    if (!ts.isCallExpression(node)) return everything(node);
    const [first] = node.arguments;
    if (callee === "snapshot")
      return first && ts.isStringLiteralLike(first) ? [{ snapshot: first.text, parts: [] }] : [];
    if (callee === "transform") return first ? rowsOf(first) : [];
    return everything(node);
  }

  /** The records whatever a name holds was computed from. */
  function reached(name: string): Rows[] {
    const before = known.get(name);
    if (before) return before;
    known.set(name, []);
    const defined = values.get(name);
    const rows = defined?.part
      ? partOf(defined.value, defined.part)
      : defined && isTable(defined.value)
        ? rowsOf(defined.value)
        : (statements.get(name) ?? []).flatMap(everything);
    known.set(name, rows);
    return rows;
  }

  function everything(node: ts.Node): Rows[] {
    const own: Rows[] = [];
    const visit = (child: ts.Node): void => {
      if (
        ts.isPropertyAccessExpression(child) &&
        isPart(child.name.text) &&
        isSplit(child.expression)
      )
        own.push(...partOf(child.expression, child.name.text));
      else if (ts.isCallExpression(child) && calleeName(child) === "snapshot")
        own.push(...rowsOf(child));
      else ts.forEachChild(child, visit);
    };
    visit(node);
    const names = freeReferences(node).filter(({ node }) => !isPartOfSplit(node));
    return [...own, ...names.flatMap(({ name }) => reached(name))];
  }

  function isPartOfSplit(node: ts.Identifier): boolean {
    const { parent } = node;
    return ts.isPropertyAccessExpression(parent) && isPart(parent.name.text) && isSplit(node);
  }

  function isSplit(expression: ts.Expression): boolean {
    const node = bare(expression);
    if (ts.isIdentifier(node)) {
      const defined = values.get(node.text);
      return defined !== undefined && defined.part === undefined && isSplit(defined.value);
    }
    return ts.isCallExpression(node) && calleeName(node).startsWith("split.");
  }

  function partOf(expression: ts.Expression, part: "train" | "test"): Rows[] {
    const node = bare(expression);
    if (ts.isIdentifier(node)) {
      const defined = values.get(node.text);
      return defined ? partOf(defined.value, part) : [];
    }
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression))
      return everything(node);
    const { expression: made, name } = node.expression;
    const input = ts.isCallExpression(made) ? made.arguments[0] : undefined;
    const how = node.arguments.map((argument) => argument.getText().replaceAll(/\s/g, ""));
    const rows = input ? rowsOf(input) : [];
    const depth = Math.max(0, ...rows.map(({ parts }) => parts.filter(isByHash).length));
    const split = `${name.text === "byTime" ? "" : depth}${name.text}(${how.join(",")})`;
    return rows.map((one) => ({ ...one, parts: [...one.parts, { split, part }] }));
  }

  /** The transforms a table's rows have come through. */
  function transformsOf(expression: ts.Expression): { name: string; call: ts.CallExpression }[] {
    const found = new Map<ts.CallExpression, string>();
    const seen = new Set<string>();
    const visit = (node: ts.Node, name: string): void => {
      if (ts.isIdentifier(node)) {
        const defined = values.get(node.text);
        if (!defined || seen.has(node.text)) return;
        seen.add(node.text);
        visit(defined.value, node.text);
        return;
      }
      if (ts.isCallExpression(node) && calleeName(node) === "transform") {
        found.set(node, name);
        const [input] = node.arguments;
        if (input) visit(input, name);
        return;
      }
      ts.forEachChild(node, (child) => visit(child, name));
    };
    visit(expression, "it");
    return [...found].map(([call, name]) => ({ name, call }));
  }
}

function isTable(expression: ts.Expression): boolean {
  const node = bare(expression);
  const callee = calleeName(node);
  if (ts.isTaggedTemplateExpression(node)) return callee === "sql";
  if (ts.isPropertyAccessExpression(node))
    return isPart(node.name.text) && callee.startsWith("split.");
  return ts.isCallExpression(node) && (callee === "snapshot" || callee === "transform");
}

function spans({ template }: ts.TaggedTemplateExpression): ts.Expression[] {
  return ts.isTemplateExpression(template)
    ? template.templateSpans.map(({ expression }) => expression)
    : [];
}

function bare(expression: ts.Expression): ts.Expression {
  if (
    ts.isParenthesizedExpression(expression) ||
    ts.isAsExpression(expression) ||
    ts.isSatisfiesExpression(expression) ||
    ts.isAwaitExpression(expression)
  )
    return bare(expression.expression);
  return expression;
}

function metricCalls(statement: ts.Statement): ts.CallExpression[] {
  const found: ts.CallExpression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^metric(?:\.|$)/.test(calleeName(node))) found.push(node);
    else ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

function isByHash({ split }: Rows["parts"][number]): boolean {
  return !split.startsWith("byTime(");
}

function isPart(name: string): name is "train" | "test" {
  return name === "train" || name === "test";
}

/** Whether some record may be in both: parts of one split exclude each other. */
function overlap(one: Rows, other: Rows): boolean {
  if (one.snapshot !== other.snapshot) return false;
  return !one.parts.some(({ split, part }) =>
    other.parts.some((there) => there.split === split && there.part !== part),
  );
}

function shown({ snapshot, parts }: Rows): string {
  const last = parts.at(-1);
  return last ? `the ${last.part} part of ${snapshot}` : snapshot;
}
