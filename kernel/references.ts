import ts from "typescript";

/** A name that a piece of code does not declare itself. */
export type Reference = {
  name: string;
  node: ts.Identifier;
  kind: "read" | "write" | "type";
};

type Scope = { names: Set<string>; parent: Scope | undefined };

/** The names a node refers to and does not declare. A top-level declaration counts as declared by its statement. */
export function freeReferences(root: ts.Node): Reference[] {
  const found: Reference[] = [];
  const top: Scope = { names: new Set(), parent: undefined };
  if (ts.isStatement(root)) for (const name of declaredBy(root)) top.names.add(name);
  hoistVars(root, top.names);
  visit(root, top);
  return found;

  function refer(node: ts.Identifier, scope: Scope, kind: Reference["kind"]): void {
    for (let at: Scope | undefined = scope; at; at = at.parent) if (at.names.has(node.text)) return;
    found.push({ name: node.text, node, kind });
  }

  function visit(node: ts.Node, scope: Scope): void {
    if (ts.isIdentifier(node)) {
      if (isReference(node)) refer(node, scope, isWritten(node) ? "write" : "read");
      return;
    }
    if (isClassBase(node)) {
      visit(node.expression, scope);
      for (const argument of node.typeArguments ?? []) visitType(argument, scope);
      return;
    }
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
      visitType(node, scope);
      return;
    }
    if (ts.isShorthandPropertyAssignment(node)) {
      refer(node.name, scope, isWritten(node) ? "write" : "read");
      if (node.objectAssignmentInitializer) visit(node.objectAssignmentInitializer, scope);
      return;
    }
    if (ts.isImportDeclaration(node)) return;
    const inner = scopeOf(node, scope);
    ts.forEachChild(node, (child) => visit(child, inner));
  }

  function visitType(node: ts.Node, scope: Scope): void {
    if (ts.isTypeQueryNode(node)) {
      const first = firstIdentifier(node.exprName);
      refer(first, scope, "type");
      return;
    }
    if (ts.isTypeReferenceNode(node)) refer(firstIdentifier(node.typeName), scope, "type");
    if (ts.isExpressionWithTypeArguments(node) && ts.isIdentifier(node.expression)) {
      refer(node.expression, scope, "type");
    }
    const names = new Set<string>();
    if ("typeParameters" in node) {
      for (const parameter of (node.typeParameters as
        | ts.NodeArray<ts.TypeParameterDeclaration>
        | undefined) ?? [])
        names.add(parameter.name.text);
    }
    if (ts.isInferTypeNode(node)) names.add(node.typeParameter.name.text);
    if (ts.isMappedTypeNode(node)) names.add(node.typeParameter.name.text);
    const inner = names.size === 0 ? scope : { names, parent: scope };
    ts.forEachChild(node, (child) => {
      if (!ts.isIdentifier(child)) visitType(child, inner);
    });
  }
}

function isClassBase(node: ts.Node): node is ts.ExpressionWithTypeArguments {
  return (
    ts.isExpressionWithTypeArguments(node) &&
    ts.isHeritageClause(node.parent) &&
    node.parent.token === ts.SyntaxKind.ExtendsKeyword &&
    ts.isClassLike(node.parent.parent)
  );
}

/** Names a statement declares in the scope it stands in, types included. */
export function declaredBy(statement: ts.Node): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap((declaration) =>
      boundNames(declaration.name),
    );
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement)
  ) {
    return statement.name ? [statement.name.text] : [];
  }
  if (ts.isImportDeclaration(statement)) {
    const clause = statement.importClause;
    const bindings = clause?.namedBindings;
    const named = bindings
      ? ts.isNamespaceImport(bindings)
        ? [bindings.name.text]
        : bindings.elements.map((element) => element.name.text)
      : [];
    return [...(clause?.name ? [clause.name.text] : []), ...named];
  }
  return [];
}

/** The names a binding pattern introduces. */
export function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) =>
    ts.isBindingElement(element) ? boundNames(element.name) : [],
  );
}

/** The identifier a chain like `a.b[c].d` begins with, if it begins with one. */
export function rootIdentifier(node: ts.Expression): ts.Identifier | undefined {
  let at: ts.Expression = node;
  for (;;) {
    if (ts.isIdentifier(at)) return at;
    if (ts.isPropertyAccessExpression(at) || ts.isElementAccessExpression(at)) at = at.expression;
    else if (ts.isParenthesizedExpression(at) || ts.isNonNullExpression(at)) at = at.expression;
    else if (ts.isAsExpression(at) || ts.isSatisfiesExpression(at)) at = at.expression;
    else return undefined;
  }
}

function scopeOf(node: ts.Node, scope: Scope): Scope {
  const names = new Set<string>();
  if (ts.isFunctionLike(node)) {
    for (const parameter of node.parameters)
      for (const name of boundNames(parameter.name)) names.add(name);
    for (const parameter of node.typeParameters ?? []) names.add(parameter.name.text);
    if (ts.isFunctionExpression(node) && node.name) names.add(node.name.text);
    if (!ts.isArrowFunction(node)) names.add("arguments");
    if ("body" in node && node.body) hoistVars(node.body, names);
  } else if (ts.isBlock(node) || ts.isModuleBlock(node)) {
    for (const statement of node.statements)
      for (const name of declaredBy(statement)) names.add(name);
  } else if (ts.isCaseBlock(node)) {
    for (const clause of node.clauses)
      for (const statement of clause.statements)
        for (const name of declaredBy(statement)) names.add(name);
  } else if (ts.isForStatement(node) || ts.isForInStatement(node) || ts.isForOfStatement(node)) {
    const { initializer } = node;
    if (initializer && ts.isVariableDeclarationList(initializer))
      for (const declaration of initializer.declarations)
        for (const name of boundNames(declaration.name)) names.add(name);
  } else if (ts.isCatchClause(node)) {
    if (node.variableDeclaration)
      for (const name of boundNames(node.variableDeclaration.name)) names.add(name);
  } else if (ts.isClassLike(node)) {
    if (node.name) names.add(node.name.text);
    for (const parameter of node.typeParameters ?? []) names.add(parameter.name.text);
  }
  return names.size === 0 ? scope : { names, parent: scope };
}

/** `var` belongs to the function (or module) around it, however deep it stands. */
function hoistVars(node: ts.Node, names: Set<string>): void {
  ts.forEachChild(node, (child) => {
    if (ts.isFunctionLike(child) || ts.isClassLike(child)) return;
    if (ts.isVariableDeclarationList(child) && (child.flags & ts.NodeFlags.BlockScoped) === 0)
      for (const declaration of child.declarations)
        for (const name of boundNames(declaration.name)) names.add(name);
    hoistVars(child, names);
  });
}

/** Whether an identifier stands for a value, rather than naming a property, a label or a declaration. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent))
    return parent.initializer === node;
  if (ts.isPropertyDeclaration(parent) || ts.isEnumMember(parent))
    return parent.initializer === node;
  if (ts.isExportSpecifier(parent)) return (parent.propertyName ?? parent.name) === node;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent)) return false;
  if (ts.isMetaProperty(parent) || ts.isNamespaceExport(parent)) return false;
  if (ts.isTypeParameterDeclaration(parent)) return false;
  if (ts.isFunctionLike(parent) || ts.isClassLike(parent))
    return !("name" in parent && parent.name === node);
  if (ts.isInterfaceDeclaration(parent) || ts.isTypeAliasDeclaration(parent)) return false;
  if (ts.isEnumDeclaration(parent) || ts.isModuleDeclaration(parent)) return false;
  return true;
}

/** Whether a node is the target of an assignment, `++`, `--` or a loop head. */
export function isWritten(node: ts.Node): boolean {
  let at = node;
  for (;;) {
    const { parent } = at;
    if (ts.isBinaryExpression(parent))
      return parent.left === at && isAssignment(parent.operatorToken.kind);
    if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent))
      return (
        parent.operator === ts.SyntaxKind.PlusPlusToken ||
        parent.operator === ts.SyntaxKind.MinusMinusToken
      );
    if (ts.isDeleteExpression(parent)) return true;
    if (ts.isForInStatement(parent) || ts.isForOfStatement(parent))
      return parent.initializer === at;
    const isPattern =
      ts.isArrayLiteralExpression(parent) ||
      ts.isSpreadElement(parent) ||
      ts.isSpreadAssignment(parent) ||
      ts.isObjectLiteralExpression(parent) ||
      ts.isShorthandPropertyAssignment(parent) ||
      ts.isParenthesizedExpression(parent) ||
      ts.isNonNullExpression(parent) ||
      (ts.isPropertyAssignment(parent) && parent.initializer === at);
    if (!isPattern) return false;
    at = parent;
  }
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

function firstIdentifier(name: ts.EntityName | ts.Node): ts.Identifier {
  let at: ts.Node = name;
  while (ts.isQualifiedName(at)) at = at.left;
  if (ts.isIdentifier(at)) return at;
  return ts.factory.createIdentifier("");
}
