import type { DisplayItem } from "../interactive-protocol.ts";
import { createApi } from "./api.ts";
import { isLookup, isTable, type Table } from "./descriptors.ts";
import type { TableExpression } from "./expressions.ts";
import { inspect } from "./inspect.ts";
import { nestsDeeper } from "./json-depth.ts";
import { isMetric } from "./metric-descriptors.ts";

/** Something a cell shows, in the order it was shown. */
export type Shown =
  | { kind: "table"; table: Table }
  | { kind: "chart"; spec: unknown; table?: Table; rows?: unknown[]; total?: number }
  | { kind: "markdown" | "text"; text: string };

/** Beyond this a picture says no more. */
const mostChartRows = 50_000;
const mostMarkdown = 262_144;
const mostSpec = 1_000_000;
const deepestSpec = 100;
const parse = JSON.parse as (text: string) => unknown;
/** What md and chart return: they have been shown already. */
const shownAlready = Object.freeze({ penstock: "shown" });

export function isShownAlready(value: unknown): boolean {
  return value === shownAlready;
}

/** The module "penstock" as cells see it. */
export function cellApi(options: {
  show(item: Shown): void;
  rows(table: Table, offset: number, limit: number): Promise<unknown[]>;
}): Record<string, unknown> {
  const show = (item: Shown): void => options.show(item);
  const pageRows = 10_000;
  const described = createApi({
    rows: (table, asked) => {
      const limit = checkedCount("limit", asked?.limit ?? 1_000);
      return options.rows(table, checkedCount("offset", asked?.offset ?? 0), limit);
    },
    async *iterate(table) {
      for (let offset = 0; ; offset += pageRows) {
        const rows = await options.rows(table, offset, pageRows);
        yield* rows;
        if (rows.length < pageRows) return;
      }
    },
  });

  function md(strings: unknown, ...values: unknown[]): unknown {
    const text = Array.isArray(strings)
      ? strings
          .map((part, i) => String(part) + (i < values.length ? plainText(values[i]) : ""))
          .join("")
      : plainText(strings);
    show({ kind: "markdown", text: text.slice(0, mostMarkdown) });
    return shownAlready;
  }

  function chart(spec: unknown, data?: unknown): unknown {
    if (spec === null || typeof spec !== "object") {
      throw new TypeError(
        'chart() takes a Vega-Lite specification first: chart({ mark: "bar", encoding: { … } }, table).',
      );
    }
    const plain = plainSpec(spec);
    if (data === undefined) show({ kind: "chart", spec: plain });
    else if (isTable(data)) show({ kind: "chart", spec: plain, table: data });
    else if (Array.isArray(data))
      show({
        kind: "chart",
        spec: plain,
        rows: data.slice(0, mostChartRows).map(jsonRow),
        total: data.length,
      });
    else throw new TypeError("chart() takes a table or an array of rows second.");
    return shownAlready;
  }

  function display(value: unknown): void {
    if (isShownAlready(value)) return;
    if (isTable(value)) show({ kind: "table", table: value });
    else if (isMetric(value)) show({ kind: "text", text: `metric ${value.name}` });
    else if (isLookup(value)) show({ kind: "table", table: value.table });
    else show({ kind: "text", text: inspect(value) });
  }

  return Object.freeze({
    ...described,
    md: Object.freeze(md),
    chart: Object.freeze(chart),
    display: Object.freeze(display),
  });
}

export function chartItem(
  item: Extract<Shown, { kind: "chart" }>,
  expression: (table: Table) => TableExpression,
): DisplayItem {
  const { spec, table, rows, total } = item;
  if (table) return { kind: "chart", spec, expression: expression(table) };
  return { kind: "chart", spec, ...(rows && total !== undefined ? { rows, total } : {}) };
}

function plainSpec(spec: object): unknown {
  const text = JSON.stringify(spec) as string | undefined;
  if (text === undefined || nestsDeeper(text, deepestSpec)) {
    throw new TypeError(
      `A chart's specification is plain data, at most ${deepestSpec} levels deep.`,
    );
  }
  if (text.length > mostSpec) {
    throw new TypeError(
      "This chart's specification holds more than 1 MB. Give its rows as the second argument: chart(spec, rows).",
    );
  }
  return parse(text);
}

/** A row as JSON can hold it. */
function jsonRow(row: unknown): unknown {
  const text = JSON.stringify(row ?? null, (_, value: unknown) => {
    if (typeof value !== "bigint") return value;
    return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value.toString();
  }) as string | undefined;
  if (text === undefined) return null;
  if (nestsDeeper(text, deepestSpec))
    throw new TypeError(`A chart's row is plain data, at most ${deepestSpec} levels deep.`);
  return parse(text);
}

function plainText(value: unknown): string {
  return typeof value === "string" ? value : inspect(value);
}

function checkedCount(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 1_000_000) {
    throw new TypeError(
      `${name} must be an integer from 0 to 1,000,000. Read a large table piece by piece: for await (const row of table).`,
    );
  }
  return value;
}
