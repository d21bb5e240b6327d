import type { Comparison } from "../compare.ts";
import { notebookName } from "../notebook-name.ts";

/** Reviews and remarks belong to a transform: they outlive its versions. */
export type TransformName = { notebook: string; transform: string };

/** A release names its notebook by its path, a page by its name. */
export function nameOf({ notebook, transform }: Comparison): TransformName {
  return { notebook: notebookName(notebook), transform };
}
