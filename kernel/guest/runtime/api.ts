import { createTables, type Hooks } from "./descriptors.ts";
import { expectDiff } from "./expect-descriptors.ts";
import { createMetric } from "./metric-descriptors.ts";
import { createSplit } from "./split-descriptors.ts";

/** The functions of the module "penstock" that describe work: in cells and in bundles alike. */
export function createApi(hooks: Hooks) {
  const { snapshot, sql, transform, table } = createTables(hooks);
  return Object.freeze({
    snapshot,
    sql,
    transform,
    metric: createMetric(),
    expectDiff: Object.freeze(expectDiff),
    split: Object.freeze(createSplit(table)),
  });
}
