import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "#kernel/bundle.ts";
import { bundleTransform } from "#kernel/bundle-transform.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { listSnapshots } from "#snapshots/workspace.ts";
import { hashOf } from "./canonical-json.ts";
import { notebookPath } from "./notebook-name.ts";
import type { Workbench } from "./workbench.ts";

/** The notebook as it lies in the working tree. */
export function workingText(
  { workspace }: Pick<Workbench, "workspace">,
  notebook: string,
): Result<string> {
  const path = notebookPath(notebook);
  const file = join(workspace.root, path);
  if (existsSync(file)) return ok(readFileSync(file, "utf8"));
  return fail({
    code: "notebook-unknown",
    message: `There is no ${path} in this workspace.`,
    hint: "Check the notebook's name; the notebooks are the .ts files in notebooks/.",
    at: { file: path },
  });
}

const remembered = new WeakMap<Workbench, Map<string, Bundle>>();
const rememberedBundles = 50;

/** A transform's bundle from a notebook's text. The same text over the same snapshots is bundled once. */
export async function bundleNotebook(
  workbench: Workbench,
  request: { notebook: string; text: string; transform: string },
): Promise<Result<Bundle>> {
  const bundles = remembered.get(workbench) ?? new Map<string, Bundle>();
  remembered.set(workbench, bundles);
  const { notebook, text, transform } = request;
  const snapshots = listSnapshots(workbench.workspace).snapshots;
  const schemas = snapshots.map(({ name, columns, identity, hash }) => ({
    name,
    columns,
    identity,
    hash,
  }));
  const key = hashOf({ notebook, text, transform, schemas });
  const known = bundles.get(key);
  if (known) return ok(known);
  const built = await buildFresh(workbench, request);
  // Another module's text is part of the bundle and not of the key.
  const readsModules = /\bfrom\s*["'](?!penstock["'])|\bimport\s*\(/.test(text);
  if (!built.ok || readsModules) return built;
  const [oldest] = bundles.keys();
  if (bundles.size >= rememberedBundles && oldest !== undefined) bundles.delete(oldest);
  bundles.set(key, built.value);
  return built;
}

/** The same, made anew whatever is remembered: evidence that building is repeatable. */
export function buildFresh(
  workbench: Workbench,
  request: { notebook: string; text: string; transform: string },
): Promise<Result<Bundle>> {
  const { workspace, store, queries } = workbench;
  return bundleTransform(
    { workspace, store, queries },
    {
      notebookText: request.text,
      fileName: join(workspace.root, notebookPath(request.notebook)),
      transform: request.transform,
      withMetrics: true,
    },
  );
}
