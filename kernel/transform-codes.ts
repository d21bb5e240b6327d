import { readFileSync, statSync } from "node:fs";
import { ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { listSnapshots } from "#snapshots/workspace.ts";
import { buildBundle, type Bundle } from "./bundle.ts";
import { evaluate, codeFrom, keyOf, type Evaluation } from "./evaluate.ts";
import { sha256 } from "./sha256.ts";

/** What a notebook's bundles are made from. */
export type BundleSource = {
  text: string;
  tables: Record<string, Column[]>;
  captured: Record<string, unknown>;
  /** The captured values as the guest encoded them: equal for equal values. */
  encoded: Record<string, unknown>;
};

type Kept = { key: string; stamp: string | undefined; bundle: Promise<Result<Bundle>> };

/**
 * Bundles of a notebook's transforms. Each is kept while all it was made from stays the same: the text, the snapshots, the values it
 * captured, the workspace's modules it imports.
 */
export function transformCodes(context: Evaluation, fileName: string) {
  const kept = new Map<string, Kept>();

  async function build(transform: string, source: BundleSource, entry: Kept) {
    const startedAt = Date.now();
    const { text, tables, captured } = source;
    const built = await buildBundle({
      workspace: context.workspace,
      notebookText: text,
      fileName,
      transform,
      tables,
      captured,
      columnsOf: columnsBy(context),
    });
    if (built.ok) entry.stamp = stampOf(built.value, source.encoded, startedAt);
    // What failed may go well next time: a lookup's snapshot may be there by then.
    else if (kept.get(transform) === entry) kept.delete(transform);
    return built;
  }

  return {
    async of(transform: string, source: BundleSource): Promise<Result<Bundle>> {
      const snapshots = listSnapshots(context.workspace).snapshots.map(
        ({ name, columns, identity, hash }) => ({ name, columns, identity, hash }),
      );
      const key = keyOf(source.text, source.tables, Object.keys(source.captured), snapshots);
      const known = kept.get(transform);
      if (known?.key === key) {
        const bundle = await known.bundle;
        if (!bundle.ok) return bundle;
        if (known.stamp !== undefined && known.stamp === stampOf(bundle.value, source.encoded))
          return bundle;
      }
      const { promise, resolve, reject } = Promise.withResolvers<Result<Bundle>>();
      const entry: Kept = { key, stamp: undefined, bundle: promise };
      kept.set(transform, entry);
      build(transform, source, entry).then(resolve, reject);
      return promise;
    },
  };
}

/** What a bundle took in besides the text. Undefined where a file is gone, or was written while the bundle was made. */
function stampOf(
  { captured, files }: Bundle,
  encoded: Record<string, unknown>,
  startedAt = Infinity,
): string | undefined {
  try {
    if (files.some((file) => statSync(file).mtimeMs >= startedAt)) return undefined;
    return keyOf(
      captured.map((name) => [name, encoded[name]]),
      files.map((file) => [file, sha256(readFileSync(file, "latin1"))]),
    );
  } catch {
    return undefined;
  }
}

/** Finds a query's columns by running it: what it makes is kept, so nothing is done twice. */
export function columnsBy(
  context: Evaluation,
): NonNullable<Parameters<typeof buildBundle>[0]["columnsOf"]> {
  return async (expression, known) => {
    const code = { code: known.code, description: known.description, outputs: known.outputs };
    const evaluated = await evaluate(context, expression, codeFrom(code));
    return evaluated.ok ? ok(evaluated.value.table.columns) : evaluated;
  };
}
