import { createTables, type Hooks } from "./descriptors.ts";
import { createMetric } from "./metric-descriptors.ts";

/** The functions of the module "penstock" that describe work: in cells and in bundles alike. */
export function createApi(hooks: Hooks) {
  const { snapshot, sql, transform } = createTables(hooks);
  return Object.freeze({ snapshot, sql, transform, metric: createMetric() });
}
