import type { BundleDescription } from "../slice-protocol.ts";
import { isTable, type Table } from "./descriptors.ts";
import { isDiffExpectation } from "./expect-descriptors.ts";
import { expressionOf, type TableExpression } from "./expressions.ts";
import { isMetric, type Metric } from "./metric-descriptors.ts";

/** What a bundle exports. */
export type SliceExport = {
  transforms?: Record<string, unknown>;
  metrics?: unknown[];
  expectations?: unknown[];
};

/** Says what a bundle holds, without running any of its functions. */
export function describe(slice: SliceExport): BundleDescription {
  const names = new Map<Table, string>();
  for (const [name, table] of Object.entries(slice.transforms ?? {})) {
    if (!isTable(table) || table.source.kind !== "transform")
      throw new TypeError(`\`${name}\` is not a transform.`);
    names.set(table, name);
  }
  const expression = (table: Table): TableExpression =>
    expressionOf(table, (one) => names.get(one));
  const transforms: BundleDescription["transforms"] = {};
  for (const [table, name] of names) {
    if (table.source.kind !== "transform") continue;
    const { input, lookup, maxParts } = table.source.transform;
    const lookups: Record<string, { table: TableExpression; by: string[] }> = {};
    for (const [key, value] of Object.entries(lookup)) {
      lookups[key] = { table: expression(value.table), by: [...value.by] };
    }
    transforms[name] = { input: expression(input), lookups, maxParts };
  }
  const metrics = (slice.metrics ?? []).map((metric) => {
    if (!isMetric(metric)) throw new TypeError("A metric of the bundle is not one.");
    return metricOf(metric, expression);
  });
  const expectations = (slice.expectations ?? []).map((expectation) => {
    if (!isDiffExpectation(expectation)) {
      throw new TypeError(
        "expectDiff(…) stands for itself in a cell: end it with its last condition.",
      );
    }
    const { table, version, columns, limits } = expectation;
    const transform = names.get(table);
    if (transform === undefined) {
      throw new TypeError(
        "expectDiff() takes a transform that has a name of its own: export const name = transform(…).",
      );
    }
    return {
      transform,
      version,
      columns: columns && [...columns],
      limits: limits && { ...limits },
    };
  });
  return { transforms, metrics, ...(expectations.length > 0 ? { expectations } : {}) };
}

function metricOf(
  metric: Metric,
  expression: (table: Table) => TableExpression,
): BundleDescription["metrics"][number] {
  const { name, table, kind, better, by, resample } = metric;
  return {
    name,
    table: expression(table),
    kind,
    ...(better === undefined ? {} : { better }),
    ...(by === undefined ? {} : { by }),
    ...(resample === undefined ? {} : { resample: { by: resample.by } }),
  };
}
