import ts from "typescript";
import type { Problem } from "#snapshots/problem.ts";
import { calleeName, placeOf } from "./analysis.ts";
import { freeReferences, isWritten, rootIdentifier } from "./references.ts";

/** Names of the language and the guest whose value differs from run to run, or that reach outside. */
const impureNames: Record<string, string> = {
  fetch: "reaches the network",
  XMLHttpRequest: "reaches the network",
  WebSocket: "reaches the network",
  performance: "reads a clock",
  Temporal: "can read a clock",
  crypto: "is random",
  setTimeout: "waits on a clock",
  setInterval: "waits on a clock",
  queueMicrotask: "runs after the record is done",
  process: "reaches outside the sandbox",
  Deno: "reaches outside the sandbox",
  globalThis: "is state between records",
  eval: "hides what it runs",
  Function: "hides what it runs",
  console: "prints: a transform has no output but its record",
};

const mutators = new Set([
  "push",
  "pop",
  "shift",
  "unshift",
  "splice",
  "sort",
  "reverse",
  "fill",
  "copyWithin",
  "set",
  "add",
  "delete",
  "clear",
  "setTime",
]);

/**
 * What keeps a statement out of a transform: clocks, randomness, I/O, and state kept between records.
 * `regexes` are captured names that hold a regular expression with flag g or y.
 */
export function purityProblems(
  statement: ts.Statement,
  file: ts.SourceFile,
  notebookNames: ReadonlySet<string>,
  regexes: ReadonlySet<string>,
): Problem[] {
  const problems: Problem[] = [];
  const refuse = (node: ts.Node, message: string, hint: string) =>
    problems.push({
      code: "impure-transform",
      message,
      hint,
      at: placeOf(file, node.getStart(file)),
    });

  for (const { node, name, kind } of freeReferences(statement)) {
    if (kind === "type" || notebookNames.has(name)) continue;
    if (Object.hasOwn(impureNames, name))
      refuse(node, `A transform cannot use \`${name}\`: it ${impureNames[name]}.`, insteadOf(name));
    if (name === "Math" && isMember(node, "random"))
      refuse(
        node,
        "A transform cannot use `Math.random`: the same record must give the same output.",
        "Derive the value from the record, or draw it in a cell and capture it.",
      );
    if (name === "Date" && readsClock(node))
      refuse(
        node,
        "A transform cannot read the clock: the same record must give the same output.",
        "Use a time the record carries.",
      );
  }
  for (const outer of outermostFunctions(statement)) {
    if (isAsync(outer))
      refuse(
        outer,
        "A transform's code cannot be asynchronous.",
        "Compute what it waits for in a cell, and capture the value or make it a lookup.",
      );
    checkCaptured(outer);
  }
  return problems;

  function checkCaptured(outer: ts.FunctionLikeDeclaration): void {
    const captured = new Set(
      freeReferences(outer)
        .filter((found) => found.kind !== "type")
        .map((found) => found.node),
    );
    const visit = (node: ts.Node): void => {
      if (ts.isIdentifier(node) && captured.has(node)) checkUse(node);
      ts.forEachChild(node, visit);
    };
    visit(outer);
  }

  function checkUse(node: ts.Identifier): void {
    const { text } = node;
    if (isWritten(node)) {
      refuse(
        node,
        `A transform cannot assign to \`${text}\`, which is outside it: state between records would make the output depend on their order.`,
        "Return what you compute in the record.",
      );
      return;
    }
    const chain = chainOf(node);
    if (chain !== node && isWritten(chain)) {
      refuse(
        chain,
        `A transform cannot change \`${text}\`, which is outside it: state between records would make the output depend on their order.`,
        "Copy it first: `{ ...value, changed }`.",
      );
      return;
    }
    if (isMutatorCall(chain)) {
      refuse(
        chain,
        `A transform cannot change \`${text}\`, which is outside it: state between records would make the output depend on their order.`,
        "Copy it first, for example with `toSorted()` or `[...values, more]`.",
      );
    }
    if (regexes.has(text) && !isStatelessRegexUse(node)) {
      refuse(
        node,
        `\`${text}\` is a regular expression with flag g or y, which remembers where it stopped.`,
        "Drop the flag, or write the expression inside the function.",
      );
    }
  }
}

/** Names of top-level constants that hold a regular expression with flag g or y. */
export function statefulRegexes(statement: ts.Statement): string[] {
  if (!ts.isVariableStatement(statement)) return [];
  return statement.declarationList.declarations.flatMap(({ name, initializer }) => {
    if (!ts.isIdentifier(name) || !initializer) return [];
    const isLiteral =
      ts.isRegularExpressionLiteral(initializer) && /\/[a-z]*[gy][a-z]*$/.test(initializer.text);
    const flags =
      ts.isNewExpression(initializer) && calleeName(initializer.expression) === "RegExp"
        ? initializer.arguments?.[1]
        : undefined;
    const isBuilt = flags !== undefined && ts.isStringLiteralLike(flags) && /[gy]/.test(flags.text);
    return isLiteral || isBuilt ? [name.text] : [];
  });
}

function insteadOf(name: string): string {
  if (name === "console") return "Return the value in the record, and look at the table.";
  if (name === "fetch")
    return "Fetch it in a cell, freeze it as a snapshot, and read it as a lookup.";
  return "Compute it in a cell and capture the value, or take it from the record.";
}

function outermostFunctions(node: ts.Node): ts.FunctionLikeDeclaration[] {
  if (ts.isFunctionLike(node) && "body" in node && node.body) return [node];
  const found: ts.FunctionLikeDeclaration[] = [];
  ts.forEachChild(node, (child) => {
    found.push(...outermostFunctions(child));
  });
  return found;
}

function isAsync(node: ts.FunctionLikeDeclaration): boolean {
  return (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Async) !== 0;
}

function isMember(node: ts.Identifier, member: string): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent))
    return parent.expression === node && parent.name.text === member;
  if (ts.isVariableDeclaration(parent) && ts.isObjectBindingPattern(parent.name))
    return parent.name.elements.some(
      (element) => (element.propertyName ?? element.name).getText() === member,
    );
  if (ts.isElementAccessExpression(parent) && parent.expression === node)
    return (
      !ts.isStringLiteral(parent.argumentExpression) || parent.argumentExpression.text === member
    );
  return false;
}

function readsClock(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isNewExpression(parent) && parent.expression === node)
    return (parent.arguments?.length ?? 0) === 0;
  if (ts.isCallExpression(parent) && parent.expression === node) return true;
  return isMember(node, "now");
}

/** The longest member chain that begins with an identifier: `a` of `a.b[c]` gives all of it. */
function chainOf(node: ts.Identifier): ts.Expression {
  let at: ts.Expression = node;
  for (;;) {
    const { parent } = at;
    const isLink =
      (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) &&
      parent.expression === at;
    if (isLink && rootIdentifier(parent) === node) at = parent;
    else if (ts.isNonNullExpression(parent) || ts.isParenthesizedExpression(parent)) at = parent;
    else return at;
  }
}

function isMutatorCall(chain: ts.Expression): boolean {
  if (!ts.isPropertyAccessExpression(chain)) return false;
  const { parent } = chain;
  if (calleeName(chain) === "Object.assign") return false;
  return (
    ts.isCallExpression(parent) && parent.expression === chain && mutators.has(chain.name.text)
  );
}

/** `text.replace(re, …)` and its kin begin at 0 whatever the expression remembers. */
function isStatelessRegexUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (!ts.isCallExpression(parent) || parent.arguments[0] !== node) return false;
  if (!ts.isPropertyAccessExpression(parent.expression)) return false;
  return ["replace", "replaceAll", "matchAll", "split"].includes(parent.expression.name.text);
}
