import ts from "typescript";
import type { Problem } from "#snapshots/problem.ts";
import type { Variable } from "./document.ts";
import { declaredBy, freeReferences, type Reference } from "./references.ts";

/** The names the module "penstock" gives a notebook. */
export const penstockNames = [
  "snapshot",
  "sql",
  "transform",
  "metric",
  "split",
  "expectDiff",
  "md",
  "chart",
  "display",
] as const;

/** One top-level statement of a cell. Offsets count UTF-16 units of the cell's source. */
export type CellStatement = {
  node: ts.Statement;
  start: number;
  end: number;
  defines: string[];
  /** Names read or written that the statement does not declare. */
  uses: string[];
  writes: string[];
  typeUses: string[];
  hasAwait: boolean;
  /** Shows something and changes nothing: never part of a slice. */
  isDisplay: boolean;
  isMetric: boolean;
  /** A test cell's line: `expectDiff(…)…`. */
  isExpectation: boolean;
};

export type CellImport = {
  specifier: string;
  names: string[];
  start: number;
  end: number;
  isTypeOnly: boolean;
};

export type CellAnalysis = {
  file: ts.SourceFile;
  statements: CellStatement[];
  /** Names the cell defines as values, in order; type names are apart. */
  defines: string[];
  types: string[];
  /** Names it uses and does not define, those of the language and of "penstock" among them. */
  uses: string[];
  typeUses: string[];
  imports: CellImport[];
  kinds: Record<string, Variable["kind"]>;
  problems: Problem[];
  /** The code without comments and blanks: equal for edits that change nothing. */
  fingerprint: string;
};

const kept = new Map<string, CellAnalysis>();
const keptLimit = 500;

/** What a cell defines and uses, and what is wrong with it before it runs. Kept by text, so that asking again costs nothing. */
export function analyseCell(source: string): CellAnalysis {
  const known = kept.get(source);
  if (known) return known;
  const analysis = analyseShallow(source);
  if (kept.size >= keptLimit) kept.delete(kept.keys().next().value ?? "");
  kept.set(source, analysis);
  return analysis;
}

/** Parsing calls itself once a level: a text that nests without measure is a problem of its cell, never of the whole process. */
function analyseShallow(source: string): CellAnalysis {
  try {
    return analyse(source);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { ...analyse(""), problems: [tooDeep], fingerprint: source };
  }
}

const tooDeep: Problem = {
  code: "too-deep",
  message: "This cell nests too deeply to be read.",
  hint: "Give its parts names of their own.",
  at: { line: 1, column: 1 },
};

function analyse(source: string): CellAnalysis {
  const file = ts.createSourceFile(
    "cell.ts",
    source,
    ts.ScriptTarget.ESNext,
    true,
    ts.ScriptKind.TS,
  );
  const statements = file.statements.map((node) => readStatement(node, file));
  const imports = file.statements
    .filter(ts.isImportDeclaration)
    .map((node) => readImport(node, file));
  const fromPenstock = new Set(
    imports.filter((found) => found.specifier === "penstock").flatMap((found) => found.names),
  );
  // A name can be a type and a value at once: then it is a value.
  const defines = unique(
    statements.flatMap(({ node, defines }) => (isTypeOnly(node) ? [] : defines)),
  );
  const types = unique(file.statements.filter(isTypeOnly).flatMap(declaredBy)).filter(
    (name) => !defines.includes(name),
  );
  const own = new Set([...defines, ...types]);
  const kinds: CellAnalysis["kinds"] = {};
  for (const { node } of statements) {
    for (const [name, kind] of Object.entries(kindsOf(node)))
      if (kind !== "type" || !defines.includes(name)) kinds[name] = kind;
  }
  return {
    file,
    statements,
    defines: defines.filter((name) => !fromPenstock.has(name)),
    types,
    uses: unique(statements.flatMap((statement) => statement.uses)).filter(
      (name) => !own.has(name),
    ),
    typeUses: unique(statements.flatMap((statement) => statement.typeUses)).filter(
      (name) => !own.has(name),
    ),
    imports,
    kinds,
    problems: [...syntaxProblems(file), ...shapeProblems(file, statements)],
    fingerprint: fingerprintOf(source),
  };
}

function readStatement(node: ts.Statement, file: ts.SourceFile): CellStatement {
  const references = freeReferences(node);
  const named = (kind: Reference["kind"][]) =>
    unique(references.filter((found) => kind.includes(found.kind)).map((found) => found.name));
  return {
    node,
    start: node.getStart(file),
    end: node.getEnd(),
    defines: declaredBy(node),
    uses: named(["read", "write"]),
    writes: named(["write"]),
    typeUses: named(["type"]),
    hasAwait: awaits(node),
    isDisplay: isDisplay(node),
    isMetric: isMetric(node),
    isExpectation: isExpectation(node),
  };
}

function readImport(node: ts.ImportDeclaration, file: ts.SourceFile): CellImport {
  return {
    specifier: ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : "",
    names: declaredBy(node),
    start: node.getStart(file),
    end: node.getEnd(),
    isTypeOnly: node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword,
  };
}

/** Whether evaluating the statement waits: `await` outside any function. */
function awaits(node: ts.Node): boolean {
  if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) return true;
  return (
    ts.forEachChild(
      node,
      (child) => (ts.isFunctionLike(child) ? false : awaits(child)) || undefined,
    ) ?? false
  );
}

/** The call's name in dotted form: `metric.mean`, `display`; empty when it is not a plain name. */
export function calleeName(node: ts.Node): string {
  if (ts.isCallExpression(node)) return calleeName(node.expression);
  if (ts.isTaggedTemplateExpression(node)) return calleeName(node.tag);
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) {
    const left = calleeName(node.expression);
    return left === "" ? "" : `${left}.${node.name.text}`;
  }
  return "";
}

function isDisplay(node: ts.Statement): boolean {
  if (!ts.isExpressionStatement(node)) return false;
  const expression = ts.isAwaitExpression(node.expression)
    ? node.expression.expression
    : node.expression;
  if (ts.isIdentifier(expression) || ts.isPropertyAccessExpression(expression)) return true;
  if (ts.isTemplateExpression(expression) || ts.isLiteralExpression(expression)) return true;
  const callee = calleeName(expression);
  const isCall = ts.isCallExpression(expression) || ts.isTaggedTemplateExpression(expression);
  return (
    isCall &&
    /^(?:display|chart|md|sql|snapshot|transform|metric(?:\..*)?|expectDiff(?:\..*)?|console\..*)$/.test(
      callee,
    )
  );
}

function isMetric(node: ts.Statement): boolean {
  if (ts.isExpressionStatement(node)) {
    return ts.isCallExpression(node.expression) && isMetricCallee(calleeName(node.expression));
  }
  return Object.values(kindsOf(node)).includes("metric");
}

function isExpectation(node: ts.Statement): boolean {
  return ts.isExpressionStatement(node) && /^expectDiff(?:\.|$)/.test(calleeName(node.expression));
}

function isMetricCallee(callee: string): boolean {
  return callee === "metric" || callee.startsWith("metric.");
}

function kindsOf(node: ts.Statement): Record<string, Variable["kind"]> {
  if (isTypeOnly(node))
    return Object.fromEntries(declaredBy(node).map((name) => [name, "type" as const]));
  if (ts.isVariableStatement(node)) {
    return Object.fromEntries(
      node.declarationList.declarations.flatMap((declaration) =>
        declaredNames(declaration).map((name) => [name, kindOfValue(declaration.initializer)]),
      ),
    );
  }
  if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node))
    return Object.fromEntries(declaredBy(node).map((name) => [name, "function" as const]));
  return {};
}

function declaredNames(declaration: ts.VariableDeclaration): string[] {
  return ts.isIdentifier(declaration.name)
    ? [declaration.name.text]
    : declaration.name.elements.flatMap((element) =>
        ts.isBindingElement(element) && ts.isIdentifier(element.name) ? [element.name.text] : [],
      );
}

function kindOfValue(value: ts.Expression | undefined): Variable["kind"] {
  if (!value) return "value";
  if (ts.isArrowFunction(value) || ts.isFunctionExpression(value) || ts.isClassExpression(value))
    return "function";
  if (
    ts.isParenthesizedExpression(value) ||
    ts.isSatisfiesExpression(value) ||
    ts.isAsExpression(value)
  )
    return kindOfValue(value.expression);
  const callee = calleeName(value);
  if (ts.isTaggedTemplateExpression(value)) return callee === "sql" ? "sql" : "value";
  // A part taken off at once is a split too: `split(table).random(0.2).test`.
  if (callee.startsWith("split.")) return "split";
  if (!ts.isCallExpression(value)) return "value";
  if (callee === "snapshot" || callee === "transform") return callee;
  return isMetricCallee(callee) ? "metric" : "value";
}

/** Nothing of it is left at run time. */
function isTypeOnly(node: ts.Statement): boolean {
  return (
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    hasModifier(node, ts.SyntaxKind.DeclareKeyword)
  );
}

function syntaxProblems(file: ts.SourceFile): Problem[] {
  // The parser keeps what it met on the file it made; the public way to it would parse once more.
  const found =
    (file as { parseDiagnostics?: readonly ts.DiagnosticWithLocation[] }).parseDiagnostics ?? [];
  return found.slice(0, 5).map((diagnostic) => ({
    code: "syntax",
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, " "),
    hint: "Correct the code at this place.",
    at: placeOf(file, diagnostic.start),
  }));
}

function shapeProblems(file: ts.SourceFile, statements: CellStatement[]): Problem[] {
  const problems: Problem[] = [];
  const refuse = (node: ts.Node, message: string, hint: string) =>
    problems.push({
      code: "unsupported-syntax",
      message,
      hint,
      at: placeOf(file, node.getStart(file)),
    });
  for (const { node } of statements) {
    if (ts.isEnumDeclaration(node))
      refuse(
        node,
        "An enum needs code that types do not leave behind.",
        "Use a const object: `const Kind = { a: 1 } as const`.",
      );
    if (ts.isModuleDeclaration(node) && !hasModifier(node, ts.SyntaxKind.DeclareKeyword))
      refuse(
        node,
        "A namespace cannot stand in a notebook.",
        "Put its functions in cells, or in a module you import.",
      );
    if (ts.isExportAssignment(node) || hasModifier(node, ts.SyntaxKind.DefaultKeyword))
      refuse(node, "A notebook has no default export.", "Give it a name: `export const name = …`.");
    if (ts.isExportDeclaration(node) && node.moduleSpecifier)
      refuse(node, "A cell cannot re-export another module.", "Import the names it needs.");
    if (ts.isReturnStatement(node))
      refuse(
        node,
        "`return` stands outside a function.",
        "End the cell with the expression you want to see.",
      );
    if (ts.isImportDeclaration(node)) problems.push(...importProblems(node, file));
  }
  return problems;
}

function importProblems(node: ts.ImportDeclaration, file: ts.SourceFile): Problem[] {
  if (!ts.isStringLiteral(node.moduleSpecifier) || node.moduleSpecifier.text !== "penstock")
    return [];
  const at = placeOf(file, node.getStart(file));
  const bindings = node.importClause?.namedBindings;
  if (!bindings || !ts.isNamedImports(bindings) || node.importClause?.name) {
    const hint = 'Write `import { snapshot, sql, transform } from "penstock";`.';
    return [
      { code: "penstock-import", message: "penstock's names are imported one by one.", hint, at },
    ];
  }
  return bindings.elements.flatMap((element) => {
    if (element.isTypeOnly || node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
      return [];
    if (element.propertyName)
      return [
        {
          code: "penstock-import",
          message: `"${element.propertyName.text}" is imported under another name.`,
          hint: `Import it as \`${element.propertyName.text}\`.`,
          at: placeOf(file, element.getStart(file)),
        },
      ];
    if (penstockNames.some((name) => name === element.name.text)) return [];
    return [
      {
        code: "penstock-import",
        message: `penstock has no "${element.name.text}".`,
        hint: `It has ${penstockNames.join(", ")}.`,
        at: placeOf(file, element.getStart(file)),
      },
    ];
  });
}

export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  if (!ts.canHaveModifiers(node)) return false;
  return ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false;
}

/** Line and column, counted from 1, of an offset of the cell's text. */
export function placeOf(file: ts.SourceFile, offset: number): { line: number; column: number } {
  const { line, character } = file.getLineAndCharacterOfPosition(offset);
  return { line: line + 1, column: character + 1 };
}

function fingerprintOf(source: string): string {
  const parts: string[] = [];
  const file = ts.createSourceFile(
    "cell.ts",
    source,
    ts.ScriptTarget.ESNext,
    false,
    ts.ScriptKind.TS,
  );
  // The shape of the tree belongs to it: a line break after `return` leaves the words the same.
  const collect = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    if (children.length === 0) parts.push(node.getText(file));
    else {
      parts.push(`${node.kind}[`);
      children.forEach(collect);
      parts.push("]");
    }
  };
  collect(file);
  return parts.join("\u0001");
}

function unique(names: string[]): string[] {
  return [...new Set(names)];
}
