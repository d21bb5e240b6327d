import type { Problem } from "#snapshots/problem.ts";

/**
 * What lies with the notebook and will be so again: it is kept as the metric's outcome. Anything else, an interrupt or a guest that
 * died, says nothing of the metric, and must not be kept.
 */
const ofFunctions = new Set(["records-failed", "bundle-failed"]);
const ofTables = new Set([
  "query-failed",
  "query-not-select",
  "query-outside",
  "no-such-column",
  "no-columns",
  "columns-alike",
  "type-not-carried",
]);

/** A metric's function failed on these rows. */
export function isFunctionsOwn({ code }: Problem): boolean {
  return ofFunctions.has(code);
}

/** A metric's table cannot be made of these rows. */
export function isTablesOwn({ code }: Problem): boolean {
  return ofTables.has(code);
}

export const interrupted: Problem = {
  code: "interrupted",
  message: "Interrupted.",
  hint: "Run again when you like.",
};
