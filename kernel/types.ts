import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Column } from "#snapshots/table.ts";
import { listSnapshots, type Workspace } from "#snapshots/workspace.ts";
import { typescriptOf } from "./sql-types.ts";

/** The text of `penstock.d.ts`: the module "penstock", with a type for each snapshot of the workspace. */
export function generateTypes(workspace: Workspace): string {
  return typesText(listSnapshots(workspace).snapshots);
}

/** The same for given snapshots. */
export function typesText(snapshots: { name: string; columns: Column[] }[]): string {
  const rows = snapshots
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      (snapshot) => `    ${JSON.stringify(snapshot.name)}: ${rowType(snapshot.columns, "    ")};`,
    );
  return moduleText.replace(
    "    // snapshots",
    rows.length > 0 ? rows.join("\n") : "    // none yet",
  );
}

/** The TypeScript type of a table's rows. */
export function rowType(columns: Column[], indent = "", brand = "Sql"): string {
  const fields = columns.map(
    ({ name, type, nullable }) =>
      `${JSON.stringify(name)}: ${typescriptOf(type, brand)}${nullable ? " | null" : ""}`,
  );
  return indent === ""
    ? `{ ${fields.join("; ")} }`
    : `{\n${fields.map((field) => `${indent}  ${field};`).join("\n")}\n${indent}}`;
}

/** Writes `.penstock/types/penstock.d.ts`, which the workspace's tsconfig names, so that any editor knows the types. */
export async function writeTypes(workspace: Workspace): Promise<void> {
  const path = join(workspace.paths.types, "penstock.d.ts");
  const text = generateTypes(workspace);
  const now = await readFile(path, "utf8").catch(() => undefined);
  if (now === text) return;
  await mkdir(workspace.paths.types, { recursive: true });
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

const moduleText = `// Written by Penstock from the workspace's snapshots. Do not edit.
declare module "penstock" {
  const sqlType: unique symbol;
  const rowOf: unique symbol;
  const keyOf: unique symbol;

  /** A value of a SQL type that TypeScript has no type of its own for. */
  export type Sql<Base, Name extends string> = Base & { readonly [sqlType]?: Name };

  /** The rows of each snapshot. */
  export interface Snapshots {
    // snapshots
  }

  /** A table: lazy, read through SQL, a transform, or in pieces. */
  export interface Table<Row> {
    readonly [rowOf]?: Row;
    /** The table as a lookup: a frozen reference a transform asks by these columns. */
    by<const Key extends readonly (keyof Row & string)[]>(...columns: Key): Lookup<Row, Key>;
    /** The first rows, for looking at; 1,000 unless told. */
    rows(options?: { limit?: number }): Promise<Row[]>;
    [Symbol.asyncIterator](): AsyncIterator<Row>;
  }

  export interface Lookup<Row, Key extends readonly string[]> {
    readonly [rowOf]?: Row;
    readonly [keyOf]?: Key;
  }

  /** A lookup as a transform calls it: the row with this key, or undefined. */
  export type LookupFunction<L> =
    L extends Lookup<infer Row, infer Key>
      ? (
          ...key: { [I in keyof Key]: (Key[I] extends keyof Row ? Row[Key[I]] : unknown) | null | undefined }
        ) => Row | undefined
      : never;

  type RowOf<Result> = Result extends null | undefined
    ? never
    : Result extends readonly (infer Item)[]
      ? Exclude<Item, null | undefined>
      : Result;

  /** A pure function over a table's records: the same bytes here, in a release and on the stream. */
  export interface Transform<Row> extends Table<Row> {}

  export interface Metric {
    readonly name: string;
  }

  export function snapshot<Name extends keyof Snapshots>(name: Name): Table<Snapshots[Name]>;

  /** A query over tables: \`\${table}\` puts a table in, any other value a literal. */
  export function sql<Row = Record<string, any>>(
    text: TemplateStringsArray,
    ...values: (Table<any> | string | number | boolean | null)[]
  ): Table<Row>;

  /** Returns a record, several (declare \`maxParts\`), or null: the record is filtered. */
  export function transform<Row, Result extends object | null | undefined>(
    input: Table<Row>,
    apply: (row: Row) => Result,
  ): Transform<RowOf<Result>>;
  export function transform<
    Row,
    Lookups extends Record<string, Lookup<any, any>>,
    Result extends object | null | undefined,
  >(
    input: Table<Row>,
    options: { lookup?: Lookups; maxParts?: number },
    apply: (row: Row, lookups: { [Name in keyof Lookups]: LookupFunction<Lookups[Name]> }) => Result,
  ): Transform<RowOf<Result>>;

  type MetricOptions<Row> = {
    /** Which way is good: gives a verdict when two versions are compared. Accuracy and its kin know it. */
    better?: "higher" | "lower";
    /** Compared by segment too: the column whose values they are. Dates and timestamps are segments by day. */
    by?: keyof Row & string;
    /**
     * How records are drawn again for the interval: one by one, or (\`by\`) all those together that have one value in a column, for
     * records that are alike within a day, an airport or a customer. Dates and timestamps are drawn by day.
     */
    resample?: { by: keyof Row & string };
  };
  type Numeric = number | boolean | null;
  type Label = string | number | bigint | boolean | null;
  /** A row whose truth or prediction is null is left out. */
  type Judged<Truth, Prediction> = <Row>(
    name: string,
    table: Table<Row>,
    truth: (row: Row) => Truth,
    prediction: (row: Row) => Prediction,
    options?: MetricOptions<Row>,
  ) => Metric;

  /** Numbers a notebook claims of a table; compared before and after a change, with a 95 % interval of the difference. */
  export const metric: {
    /** Any number of all rows. Its interval calls the function again and again, as often as ten seconds allow; see the kinds below first. */
    <Row>(name: string, table: Table<Row>, value: (rows: Row[]) => number | null, options?: Omit<MetricOptions<Row>, "by">): Metric;
    /** The mean over the rows; a row with null is left out. */
    mean<Row>(name: string, table: Table<Row>, value: (row: Row) => Numeric, options?: MetricOptions<Row>): Metric;
    /** The sum over the rows; a row with null is left out. */
    sum<Row>(name: string, table: Table<Row>, value: (row: Row) => Numeric, options?: MetricOptions<Row>): Metric;
    /** How many rows there are, or for how many the function says true. */
    count<Row>(name: string, table: Table<Row>, options?: MetricOptions<Row>): Metric;
    count<Row>(name: string, table: Table<Row>, isCounted: (row: Row) => boolean | null, options?: MetricOptions<Row>): Metric;
    /** The sum of one number over the sum of another; a row with null in either is left out. */
    ratio<Row>(
      name: string,
      table: Table<Row>,
      numerator: (row: Row) => Numeric,
      denominator: (row: Row) => Numeric,
      options?: MetricOptions<Row>,
    ): Metric;
    /** The share of rows whose prediction is the truth. Labels of any kind. */
    accuracy: Judged<Label, Label>;
    /** Of the rows predicted positive, the share that are. */
    precision: Judged<Numeric, Numeric>;
    /** Of the positive rows, the share that are predicted so. */
    recall: Judged<Numeric, Numeric>;
    /** The harmonic mean of precision and recall. */
    f1: Judged<Numeric, Numeric>;
    /** The area under the ROC curve: the chance that a positive row's score is above a negative one's, ties counted half. */
    auc: Judged<Numeric, number | null>;
    /** The mean of −ln(probability of what was true), in nats; probabilities are held above 1e-15. */
    logLoss: Judged<Numeric, number | null>;
    /** Expected calibration error: over ten equal bins of probability, the mean distance of the probability from what came true. */
    calibration: Judged<Numeric, number | null>;
    /** The mean of |truth − prediction|. */
    mae: Judged<Numeric, Numeric>;
    /** The square root of the mean of (truth − prediction)². */
    rmse: Judged<Numeric, Numeric>;
  };

  export interface SplitOptions {
    /** Another seed is another split; 0 unless told. */
    seed?: number;
  }
  /** Two tables that share no row and leave none out. */
  export interface Parts<Row> {
    readonly train: Table<Row>;
    readonly test: Table<Row>;
  }
  /**
   * A table in two parts: one to fit on, one to judge on. A record's part depends on its key and the seed alone, never on its place:
   * a snapshot and what a transform makes of it are split alike.
   */
  export function split<Row>(table: Table<Row>): {
    /** \`share\` of the records, by their identity (or their position, where there is none), are the test part. */
    random(share: number, options?: SplitOptions): Parts<Row>;
    /** All rows with one value in the column (or columns) are in one part; \`share\` of the values are the test part. */
    byKey(column: (keyof Row & string) | readonly (keyof Row & string)[], share: number, options?: SplitOptions): Parts<Row>;
    /** What lies from then on is the test part: \`byTime("date", "2001-03-01")\`. NULL is before. */
    byTime(column: keyof Row & string, from: string): Parts<Row>;
  };

  export interface DiffExpectation {
    /** What it is compared with on the same snapshot: what an environment runs (\`"production"\`), or a revision of Git's (\`"HEAD~1"\`). */
    against(version: string): DiffExpectation;
    /** No other column may change, come or go. */
    changesOnly(columns: string | readonly string[]): DiffExpectation;
    /** No more rows of these kinds. */
    atMost(rows: { changed?: number; added?: number; removed?: number; ambiguous?: number }): DiffExpectation;
  }
  /** A test cell: what the difference to an earlier version may be; without a condition, none. It runs with its cell, and counts as evidence. */
  export function expectDiff(transform: Transform<any>): DiffExpectation;

  /** Markdown, shown where the cell stands. */
  export function md(text: TemplateStringsArray, ...values: unknown[]): unknown;

  /** A Vega-Lite chart of a table or of rows. */
  export function chart(spec: object, data?: Table<any> | readonly object[]): unknown;

  export function display(value: unknown): void;
}

/** What a cell prints stands under it. */
interface Console {
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  table(value: unknown): void;
}
declare var console: Console;
`;
