import { commonType } from "../common-type.ts";
import type { DiffColumn, DiffRequest, Tolerance } from "../diff.ts";
import { fail, ok, unwrap, type Problem, type Result } from "../problem.ts";
import type { TableInfo } from "../table.ts";
import { formatType, parseType, quoteName, type SqlType } from "../types.ts";
import { noSuchColumn } from "./read.ts";
import { hasRowId } from "../row-id.ts";

/**
 * How two tables are compared, as SQL. Each side becomes a table of positional columns, which no user's name can collide with: `n` the row's number,
 * `k0…` the key, `c0…` what is compared, each cast to a type both sides share.
 */
export type DiffPlan = {
  left: SidePlan;
  right: SidePlan;
  keyCount: number;
  /** SQL over `l` and `r` that says whether the compared column differs, tolerance included. */
  compared: {
    name: string;
    differs: string;
    nullToValue: string | null;
    valueToNull: string | null;
    isComparable: boolean;
  }[];
  columns: Omit<DiffColumn, "changed" | "nullToValue" | "valueToNull">[];
  keys: string[];
  /** Every row's key is its own: row numbers on both sides. */
  isKeyUnique: boolean;
  hasSameSchema: boolean;
};

export type SidePlan = { rows: number; sql: string };

type Request = Omit<DiffRequest, "signal" | "before" | "after">;

/** `left` and `right`: where the tables are, e.g. `"ab12…".main`. */
export function planDiff(
  request: Request,
  before: { info: TableInfo; schema: string },
  after: { info: TableInfo; schema: string },
): Result<DiffPlan> {
  const keyNames = Array.isArray(request.key) ? request.key : [];
  const keys: { left: string; right: string }[] = [];
  for (const name of keyNames) {
    const key = planKey(name, before.info, after.info);
    if (!key.ok) return key;
    keys.push(key.value);
  }
  const badTolerance = checkTolerances(request.tolerances ?? {}, before.info, after.info);
  if (badTolerance) return fail(badTolerance);

  const columns: DiffPlan["columns"] = [];
  const compared: DiffPlan["compared"] = [];
  const sides = { left: [] as string[], right: [] as string[] };
  for (const { name, type, nullable } of before.info.columns) {
    const other = after.info.columns.find((column) => column.name === name);
    if (other === undefined) {
      columns.push({ name, status: "removed", leftType: type });
      continue;
    }
    const isKey = keyNames.includes(name);
    const status = isKey ? "key" : type === other.type ? "compared" : "typeChanged";
    columns.push({ name, status, leftType: type, rightType: other.type });
    if (isKey) continue;
    const common = commonType(typeOf(type), typeOf(other.type));
    const index = compared.length;
    const at = { l: `l.c${index}`, r: `r.c${index}` };
    sides.left.push(common ? castTo(name, type, common) : `${column(name)} IS NULL`);
    sides.right.push(common ? castTo(name, other.type, common) : `${column(name)} IS NULL`);
    const tolerance = request.tolerances?.[name];
    compared.push({
      name,
      isComparable: common !== undefined,
      differs: common === undefined ? "true" : differs(at.l, at.r, common, tolerance),
      // A column without NULLs on one side cannot have become, or stopped being, one.
      nullToValue:
        common === undefined || !nullable ? null : `${at.l} IS NULL AND ${at.r} IS NOT NULL`,
      valueToNull:
        common === undefined || !other.nullable ? null : `${at.l} IS NOT NULL AND ${at.r} IS NULL`,
    });
  }
  for (const { name, type } of after.info.columns) {
    const isNew = !before.info.columns.some((column) => column.name === name);
    if (isNew) columns.push({ name, status: "added", rightType: type });
  }
  const byPosition = request.key === "position";
  return ok({
    left: {
      rows: before.info.rows,
      sql: sideSql(
        before,
        byPosition,
        keys.map((key) => key.left),
        sides.left,
      ),
    },
    right: {
      rows: after.info.rows,
      sql: sideSql(
        after,
        byPosition,
        keys.map((key) => key.right),
        sides.right,
      ),
    },
    keyCount: byPosition ? 2 : keys.length,
    compared,
    columns,
    keys: keyNames,
    isKeyUnique: byPosition && !before.info.hasLineage && !after.info.hasLineage,
    hasSameSchema: sameSchema(before.info, after.info),
  });
}

function planKey(
  name: string,
  before: TableInfo,
  after: TableInfo,
): Result<{ left: string; right: string }> {
  const left = before.columns.find((candidate) => candidate.name === name);
  const right = after.columns.find((candidate) => candidate.name === name);
  if (left === undefined)
    return fail({
      ...noSuchColumn(before, name),
      message: `The table before has no key column \`${name}\`.`,
    });
  if (right === undefined)
    return fail({
      ...noSuchColumn(after, name),
      message: `The table after has no key column \`${name}\`.`,
    });
  const common = commonType(typeOf(left.type), typeOf(right.type));
  if (common !== undefined)
    return ok({ left: castTo(name, left.type, common), right: castTo(name, right.type, common) });
  return fail({
    code: "key-types-differ",
    message: `The key column \`${name}\` is ${left.type} before and ${right.type} after, which cannot be matched.`,
    hint: "Cast it to one type on both sides, or choose another key.",
  });
}

/** A side as `SELECT n, k0…, c0…`. */
function sideSql(
  { info, schema }: { info: TableInfo; schema: string },
  byPosition: boolean,
  keys: string[],
  compared: string[],
): string {
  const number = hasRowId(info.columns) ? "d.rowid" : "row_number() OVER () - 1";
  const withLineage = byPosition && info.hasLineage;
  const key = !byPosition ? keys : withLineage ? ["g.position", "g.part"] : [number, "0::INTEGER"];
  const select = [
    `${number} AS n`,
    ...key.map((sql, index) => `${sql} AS k${index}`),
    ...compared.map((sql, index) => `${sql} AS c${index}`),
  ];
  const from = `${schema}.data d${withLineage ? ` POSITIONAL JOIN ${schema}.lineage g` : ""}`;
  return `SELECT ${select.join(", ")} FROM ${from}`;
}

function castTo(name: string, type: string, common: SqlType): string {
  const wanted = formatType(common);
  return formatType(typeOf(type)) === wanted ? column(name) : `CAST(${column(name)} AS ${wanted})`;
}

function column(name: string): string {
  return `d.${quoteName(name)}`;
}

/** NaN equals NaN and 0.0 equals −0.0 in DuckDB's own comparison. Infinities equal only themselves. */
function differs(
  left: string,
  right: string,
  type: SqlType,
  tolerance: Tolerance | undefined,
): string {
  const strict = `${left} IS DISTINCT FROM ${right}`;
  if (tolerance === undefined) return strict;
  const isFloat = type.kind === "scalar" && (type.name === "DOUBLE" || type.name === "FLOAT");
  // Whole numbers and decimals are subtracted exactly; only their distance is rounded.
  const exact = type.kind === "decimal" ? "" : isFloat ? "::DOUBLE" : "::HUGEINT";
  // A distance too great for its type is no number (NULL), and so beyond every tolerance.
  const bounded = (sql: string) => (isFloat ? sql : `TRY(${sql})`);
  const distance = bounded(`abs(${left}${exact} - ${right}${exact})::DOUBLE`);
  const largest = bounded(`greatest(abs(${left}${exact})::DOUBLE, abs(${right}${exact})::DOUBLE)`);
  const limit = `greatest(${tolerance.absolute ?? 0}::DOUBLE, ${tolerance.relative ?? 0}::DOUBLE * ${largest})`;
  const finite = isFloat ? `isfinite(${left}) AND isfinite(${right}) AND ` : "";
  return `(${strict} AND NOT coalesce(${finite}${distance} <= ${limit}, false))`;
}

const numeric =
  /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|UHUGEINT|FLOAT|DOUBLE|DECIMAL\(.*\))$/;

function checkTolerances(
  tolerances: Record<string, Tolerance>,
  before: TableInfo,
  after: TableInfo,
): Problem | undefined {
  for (const [name, { absolute, relative }] of Object.entries(tolerances)) {
    for (const table of [before, after]) {
      const found = table.columns.find((candidate) => candidate.name === name);
      if (found === undefined) return noSuchColumn(table, name);
      if (!numeric.test(found.type)) {
        return {
          code: "bad-tolerance",
          message: `Column \`${name}\` is ${found.type}; a tolerance is for numbers.`,
          hint: "Leave it out, or compare a number made from the column.",
        };
      }
    }
    const isBad = [absolute, relative].some(
      (value) => value !== undefined && !(Number.isFinite(value) && value >= 0),
    );
    if (isBad)
      return { code: "bad-tolerance", message: `The tolerance of \`${name}\` must be 0 or more.` };
  }
  return undefined;
}

function sameSchema(before: TableInfo, after: TableInfo): boolean {
  const text = (info: TableInfo) =>
    JSON.stringify(info.columns.map(({ name, type }) => [name, type]));
  return text(before) === text(after);
}

function typeOf(text: string): SqlType {
  return unwrap(parseType(text));
}
