import ts from "typescript";
import { freeReferences } from "./references.ts";

/**
 * Whether a metric's functions may look at a column that depends on a name the transform uses; true where that cannot be told. It can be
 * told of a function that returns object literals, and of metric functions that use their row as `row.column` only.
 */
export function isTouched(
  transform: ts.CallExpression,
  used: string,
  functions: readonly ts.Expression[],
): boolean {
  const read = columnsOf(functions);
  const apply = transform.arguments.at(-1);
  if (!read || !apply || !ts.isArrowFunction(apply)) return true;
  const names = namesInside(transform, apply, used);
  const literals = literalsOf(apply, names);
  if (!literals) return true;
  return literals.some((literal) => !isClear(literal, read, names));
}

/** What the used name is called inside the function: itself, and the lookups made of it. */
function namesInside(
  transform: ts.CallExpression,
  apply: ts.ArrowFunction,
  used: string,
): Set<string> {
  const names = new Set([used]);
  const [, options] = transform.arguments;
  const second = apply.parameters[1]?.name;
  if (!options || options === apply || !second) return names;
  if (!ts.isObjectBindingPattern(second)) return names.add(second.getText());
  const lookups = ts.isObjectLiteralExpression(options)
    ? options.properties.find((property) => property.name?.getText() === "lookup")
    : undefined;
  const made =
    lookups && ts.isPropertyAssignment(lookups) && ts.isObjectLiteralExpression(lookups.initializer)
      ? lookups.initializer.properties
      : undefined;
  for (const element of second.elements) {
    const name = (element.propertyName ?? element.name).getText();
    const lookup = made?.find((property) => property.name?.getText() === name);
    if (!lookup || refers(lookup, new Set([used]))) names.add(element.name.getText());
  }
  return names;
}

/** The records the function returns; undefined where it returns something else, or decides by one of the names what to return. */
function literalsOf(
  { body }: ts.ArrowFunction,
  names: Set<string>,
): ts.ObjectLiteralExpression[] | undefined {
  if (!ts.isBlock(body)) {
    const literal = ts.isParenthesizedExpression(body) ? body.expression : body;
    return ts.isObjectLiteralExpression(literal) ? [literal] : undefined;
  }
  const found: ts.ObjectLiteralExpression[] = [];
  for (const statement of body.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name, initializer } of statement.declarationList.declarations)
        if (initializer && refers(initializer, names)) names.add(name.getText());
      continue;
    }
    const returned = ts.isIfStatement(statement) ? soleReturn(statement.thenStatement) : statement;
    if (
      ts.isIfStatement(statement) &&
      (statement.elseStatement || refers(statement.expression, names))
    )
      return undefined;
    if (!returned || !ts.isReturnStatement(returned)) return undefined;
    const value = returned.expression;
    if (value && ts.isObjectLiteralExpression(value)) found.push(value);
    else if (value?.kind !== ts.SyntaxKind.NullKeyword) return undefined;
  }
  return found;
}

function soleReturn(statement: ts.Statement): ts.Statement | undefined {
  if (!ts.isBlock(statement)) return statement;
  return statement.statements.length === 1 ? statement.statements[0] : undefined;
}

function isClear(
  literal: ts.ObjectLiteralExpression,
  read: Set<string>,
  names: Set<string>,
): boolean {
  return literal.properties.every((property) => {
    if (ts.isPropertyAssignment(property) || ts.isShorthandPropertyAssignment(property)) {
      const name = ts.isComputedPropertyName(property.name) ? undefined : property.name.getText();
      const isRead = name === undefined || read.has(name.replaceAll(/^["']|["']$/g, ""));
      return !isRead || !refers(property, names);
    }
    return !refers(property, names);
  });
}

function refers(node: ts.Node, names: Set<string>): boolean {
  return freeReferences(node).some(({ name }) => names.has(name));
}

/** The columns that functions of a row look at; undefined where they may look at any. */
function columnsOf(functions: readonly ts.Expression[]): Set<string> | undefined {
  const columns = new Set<string>();
  for (const one of functions) {
    if (ts.isObjectLiteralExpression(one)) continue;
    if (!ts.isArrowFunction(one)) return undefined;
    const row = one.parameters[0]?.name;
    if (!row) continue;
    if (!ts.isIdentifier(row)) return undefined;
    let isPlain = true;
    const visit = (node: ts.Node): void => {
      if (ts.isIdentifier(node) && node.text === row.text) {
        const { parent } = node;
        if (ts.isPropertyAccessExpression(parent) && parent.expression === node)
          columns.add(parent.name.text);
        else isPlain = false;
      }
      ts.forEachChild(node, visit);
    };
    visit(one.body);
    if (!isPlain) return undefined;
  }
  return columns;
}
