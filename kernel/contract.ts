import ts from "typescript";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { calleeName } from "./analysis.ts";
import { quoteName } from "./sql-types.ts";

/** The columns a transform's return type promises. Positions are those of the file. */
export function outputContract(
  checker: ts.TypeChecker,
  file: ts.SourceFile,
  transform: string,
): Result<Column[]> {
  const call = transformCall(file, transform);
  const apply = call?.arguments.at(-1);
  if (!call || !apply)
    return fail({
      code: "no-transform",
      message: `The notebook defines no transform \`${transform}\`.`,
      hint: `Write \`export const ${transform} = transform(input, (row) => …);\` in a cell.`,
    });
  const at = placeIn(file, apply.getStart(file));
  const signature = checker.getTypeAtLocation(apply).getCallSignatures()[0];
  if (!signature)
    return fail({
      code: "no-contract",
      message: `\`${transform}\` gets no function.`,
      hint: "Give it a function of a row that returns a record, several, or null.",
      at,
    });
  const returned = signature.getReturnType();
  if ((returned.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0)
    return fail({
      code: "no-contract",
      message: `What \`${transform}\` returns has the type \`${checker.typeToString(returned)}\`, which names no columns.`,
      hint: "Declare the record's type: `(row): { id: number } => …`.",
      at,
    });
  const records = recordTypes(checker, returned);
  if (records.length === 0)
    return fail({
      code: "no-contract",
      message: `\`${transform}\` never returns a record, so its output has no columns.`,
      hint: "Return an object with the output's columns.",
      at,
    });

  const columns: Column[] = [];
  for (const name of columnNames(checker, apply, records)) {
    if (name === "")
      return fail({
        code: "no-contract",
        message: `A record of \`${transform}\` has a column without a name.`,
        hint: "Give it one.",
        at: placeOfColumn(file, apply, name) ?? at,
      });
    const found = records.map((record) => record.getProperty(name));
    const types: ts.Type[] = [];
    let nullable = found.includes(undefined);
    for (const property of found) {
      if (!property) continue;
      const parts = withoutNull(checker.getTypeOfSymbolAtLocation(property, apply));
      nullable ||= parts.nullable || (property.flags & ts.SymbolFlags.Optional) !== 0;
      types.push(...parts.types);
    }
    const sqlType = sqlTypeOf(checker, types, apply);
    if (!sqlType.ok)
      return fail(
        columnProblem(transform, name, sqlType.problem, placeOfColumn(file, apply, name) ?? at),
      );
    columns.push({ name, type: sqlType.value, nullable });
  }
  if (columns.length === 0)
    return fail({
      code: "no-contract",
      message: `The records \`${transform}\` returns have no columns that types can name.`,
      hint: "Return an object literal, or declare its type.",
      at,
    });
  return ok(columns);
}

/** The call that makes a transform, by the name it is given. */
export function transformCall(file: ts.SourceFile, name: string): ts.CallExpression | undefined {
  for (const statement of file.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name: bound, initializer } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(bound) || bound.text !== name || !initializer) continue;
      let value: ts.Expression = initializer;
      while (
        ts.isParenthesizedExpression(value) ||
        ts.isAsExpression(value) ||
        ts.isSatisfiesExpression(value)
      )
        value = value.expression;
      if (ts.isCallExpression(value) && calleeName(value) === "transform") return value;
    }
  }
  return undefined;
}

/** The record types among what a function returns: alternatives and lists taken apart, null left out. */
function recordTypes(checker: ts.TypeChecker, type: ts.Type): ts.Type[] {
  const { types } = withoutNull(type);
  return types.flatMap((part) => {
    if (checker.isArrayType(part) || checker.isTupleType(part))
      return checker
        .getTypeArguments(part as ts.TypeReference)
        .flatMap((item) => recordTypes(checker, item));
    return (part.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) !== 0 ? [part] : [];
  });
}

/** Column names in the order JavaScript gives an object literal's keys: TypeScript orders a spread's last. */
function columnNames(checker: ts.TypeChecker, apply: ts.Expression, records: ts.Type[]): string[] {
  const names = new Set<string>();
  for (const literal of returnedLiterals(apply))
    for (const name of keysOf(checker, literal)) names.add(name);
  const typed = new Set(
    records.flatMap((record) =>
      checker
        .getPropertiesOfType(record)
        .map((found) => found.name)
        .filter(isPlainName),
    ),
  );
  return [
    ...[...names].filter((name) => typed.has(name)),
    ...[...typed].filter((name) => !names.has(name)),
  ];
}

function keysOf(checker: ts.TypeChecker, literal: ts.ObjectLiteralExpression): string[] {
  return literal.properties.flatMap((property) => {
    if (ts.isSpreadAssignment(property))
      return checker
        .getPropertiesOfType(checker.getTypeAtLocation(property.expression))
        .map((found) => found.name)
        .filter(isPlainName);
    const { name } = property;
    return ts.isIdentifier(name) || ts.isStringLiteralLike(name) || ts.isNumericLiteral(name)
      ? [name.text]
      : [];
  });
}

function returnedLiterals(apply: ts.Expression): ts.ObjectLiteralExpression[] {
  const found: ts.ObjectLiteralExpression[] = [];
  const take = (expression: ts.Expression): void => {
    if (ts.isObjectLiteralExpression(expression)) found.push(expression);
    else if (
      ts.isParenthesizedExpression(expression) ||
      ts.isAsExpression(expression) ||
      ts.isSatisfiesExpression(expression)
    )
      take(expression.expression);
    else if (ts.isConditionalExpression(expression)) {
      take(expression.whenTrue);
      take(expression.whenFalse);
    } else if (ts.isArrayLiteralExpression(expression)) expression.elements.forEach(take);
  };
  if (!ts.isArrowFunction(apply) && !ts.isFunctionExpression(apply)) return found;
  if (!ts.isBlock(apply.body)) {
    take(apply.body);
    return found;
  }
  const visit = (node: ts.Node): void => {
    if (ts.isReturnStatement(node) && node.expression) take(node.expression);
    else if (!ts.isFunctionLike(node)) ts.forEachChild(node, visit);
  };
  visit(apply.body);
  return found;
}

function placeOfColumn(
  file: ts.SourceFile,
  apply: ts.Expression,
  name: string,
): { line: number; column: number } | undefined {
  for (const literal of returnedLiterals(apply)) {
    for (const property of literal.properties)
      if (property.name?.getText(file).replace(/^["']|["']$/g, "") === name)
        return placeIn(file, property.getStart(file));
  }
  return undefined;
}

function withoutNull(type: ts.Type): { types: ts.Type[]; nullable: boolean } {
  const parts = type.isUnion() ? type.types : [type];
  const empty = ts.TypeFlags.Null | ts.TypeFlags.Undefined | ts.TypeFlags.Void | ts.TypeFlags.Never;
  const types = parts.filter((part) => (part.flags & empty) === 0);
  return { types, nullable: types.length < parts.length };
}

/** Deeper than this a type holds itself: no column can. */
const mostLevels = 32;

function sqlTypeOf(
  checker: ts.TypeChecker,
  types: ts.Type[],
  at: ts.Node,
  level = 0,
): Result<string> {
  if (level > mostLevels)
    return fail({
      code: "recursive",
      message: "has a type that holds itself, which no column can",
      hint: "Return a list of records, or text.",
    });
  if (types.length > 1 && types.every((type) => isRecord(checker, type, at)))
    return structOf(checker, types, at, level);
  const found = new Set<string>();
  let integers = false;
  for (const type of types) {
    if (type.isNumberLiteral() && Number.isSafeInteger(type.value)) {
      integers = true;
      continue;
    }
    const one = sqlTypeOfOne(checker, type, at, level);
    if (!one.ok) return one;
    found.add(one.value);
  }
  const numbers = [...found];
  if (integers && !numbers.every((type) => isInteger(type))) found.add("DOUBLE");
  if (integers && found.size === 0) found.add("DOUBLE");
  if (found.size === 0)
    return fail({
      code: "untyped",
      message: "is always null",
      hint: "Declare what it can hold, for example `null as number | null`.",
    });
  const [first = "", ...others] = found;
  if (others.length === 0) return ok(first);
  if ([...found].every((type) => isInteger(type))) return ok("BIGINT");
  if ([...found].every((type) => isInteger(type) || type === "DOUBLE" || type === "FLOAT"))
    return ok("DOUBLE");
  if ([...found].every((type) => textTypes.test(type))) return ok("VARCHAR");
  return fail({
    code: "mixed",
    message: `can be ${[...found].join(" or ")}`,
    hint: "Give it one type in every record.",
  });
}

const textTypes = /^(?:VARCHAR|UUID|JSON|ENUM.*|TIME)$/;

function isInteger(type: string): boolean {
  return /^(?:U?(?:TINY|SMALL|BIG)INT|U?INTEGER)$/.test(type);
}

/** Whether values of a type are plain records, which can be told by their fields alone. */
function isRecord(checker: ts.TypeChecker, type: ts.Type, at: ts.Node): boolean {
  if ((type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) === 0) return false;
  if (brandOf(checker, type, at) !== undefined || type.isClass()) return false;
  if (checker.isArrayType(type) || checker.isTupleType(type)) return false;
  return !["Date", "Uint8Array", "Map"].includes(type.symbol?.name ?? "");
}

function sqlTypeOfOne(
  checker: ts.TypeChecker,
  type: ts.Type,
  at: ts.Node,
  level: number,
): Result<string> {
  const { flags } = type;
  if ((flags & ts.TypeFlags.Any) !== 0)
    return fail({
      code: "any",
      message: "has the type `any`",
      hint: "Declare its type: `as number`, `as string`, …",
    });
  if ((flags & ts.TypeFlags.Unknown) !== 0)
    return fail({
      code: "unknown",
      message: "has the type `unknown`",
      hint: "Declare its type: `as number`, `as string`, …",
    });
  const branded = brandOf(checker, type, at);
  if (branded !== undefined) return ok(branded);
  if ((flags & ts.TypeFlags.BooleanLike) !== 0) return ok("BOOLEAN");
  if ((flags & ts.TypeFlags.NumberLike) !== 0) return ok("DOUBLE");
  if ((flags & ts.TypeFlags.StringLike) !== 0) return ok("VARCHAR");
  if ((flags & ts.TypeFlags.BigIntLike) !== 0) return ok("HUGEINT");
  if ((flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) === 0)
    return unsupported(checker, type);
  const name = type.symbol?.name ?? type.aliasSymbol?.name ?? "";
  if (name === "Date") return ok("TIMESTAMP");
  if (name === "Uint8Array") return ok("BLOB");
  if (name === "Map") {
    const [key, value] = checker.getTypeArguments(type as ts.TypeReference);
    if (!key || !value) return unsupported(checker, type);
    const keyType = sqlTypeOf(checker, withoutNull(key).types, at, level + 1);
    const valueType = sqlTypeOf(checker, withoutNull(value).types, at, level + 1);
    if (!keyType.ok) return keyType;
    return valueType.ok ? ok(`MAP(${keyType.value}, ${valueType.value})`) : valueType;
  }
  if (checker.isArrayType(type) || checker.isTupleType(type)) {
    const items = checker
      .getTypeArguments(type as ts.TypeReference)
      .flatMap((item) => withoutNull(item).types);
    const item = sqlTypeOf(checker, items, at, level + 1);
    return item.ok ? ok(`${item.value}[]`) : item;
  }
  return structOf(checker, [type], at, level);
}

/** Records that may come in several shapes: a field is what it can be in any of them. */
function structOf(
  checker: ts.TypeChecker,
  types: ts.Type[],
  at: ts.Node,
  level: number,
): Result<string> {
  const fields = new Map<string, ts.Type[]>();
  for (const type of types) {
    if (type.getCallSignatures().length > 0 || type.isClass()) return unsupported(checker, type);
    for (const property of checker.getPropertiesOfType(type)) {
      if (!isPlainName(property.name)) return unsupported(checker, type);
      const { types: held } = withoutNull(checker.getTypeOfSymbolAtLocation(property, at));
      fields.set(property.name, [...(fields.get(property.name) ?? []), ...held]);
    }
  }
  const texts: string[] = [];
  for (const [name, held] of fields) {
    const field = sqlTypeOf(checker, held, at, level + 1);
    if (!field.ok) return field;
    texts.push(`${quoteName(name)} ${field.value}`);
  }
  if (texts.length > 0) return ok(`STRUCT(${texts.join(", ")})`);
  return fail({
    code: "unsupported",
    message: `has the type \`${types.map((type) => checker.typeToString(type)).join(" | ")}\`, which no column can hold`,
    hint: "Return numbers, text, booleans, dates, lists or records of these.",
  });
}

/** The SQL type a branded alias carries: \`Sql<number, "BIGINT">\` gives BIGINT. */
function brandOf(checker: ts.TypeChecker, type: ts.Type, at: ts.Node): string | undefined {
  const brand = checker
    .getPropertiesOfType(type)
    .find((property) => property.name.startsWith("__@sqlType"));
  if (!brand) return undefined;
  const { types } = withoutNull(checker.getTypeOfSymbolAtLocation(brand, at));
  const [only] = types;
  return types.length === 1 && only?.isStringLiteral() ? only.value : undefined;
}

function isPlainName(name: string): boolean {
  return !name.startsWith("__@");
}

function unsupported(checker: ts.TypeChecker, type: ts.Type): Result<string> {
  return fail({
    code: "unsupported",
    message: `has the type \`${checker.typeToString(type)}\`, which no column can hold`,
    hint: "Return numbers, text, booleans, dates, lists or records of these.",
  });
}

function columnProblem(
  transform: string,
  column: string,
  why: Problem,
  at: { line: number; column: number },
): Problem {
  return {
    code: "no-contract",
    message: `Column \`${column}\` of \`${transform}\` ${why.message}.`,
    ...(why.hint === undefined ? {} : { hint: why.hint }),
    at,
  };
}

function placeIn(file: ts.SourceFile, offset: number): { line: number; column: number } {
  const { line, character } = file.getLineAndCharacterOfPosition(offset);
  return { line: line + 1, column: character + 1 };
}
