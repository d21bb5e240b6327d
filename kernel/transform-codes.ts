import { ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { buildBundle, type Bundle } from "./bundle.ts";
import { evaluate, codeFrom, keyOf, type Evaluation } from "./evaluate.ts";

/** What a notebook's bundles are made from. */
export type BundleSource = {
  text: string;
  tables: Record<string, Column[]>;
  captured: Record<string, unknown>;
};

/** Bundles of a notebook's transforms, each kept for the text it was last made from. */
export function transformCodes(context: Evaluation, fileName: string) {
  const kept = new Map<string, { key: string; bundle: Promise<Result<Bundle>> }>();

  /** What failed may go well next time: a lookup's snapshot may be there by then. */
  async function forgetFailure(transform: string, bundle: Promise<Result<Bundle>>): Promise<void> {
    const built = await bundle;
    if (!built.ok && kept.get(transform)?.bundle === bundle) kept.delete(transform);
  }

  return {
    of(transform: string, { text, tables, captured }: BundleSource): Promise<Result<Bundle>> {
      const key = keyOf(text, tables, Object.keys(captured));
      const known = kept.get(transform);
      if (known?.key === key) return known.bundle;
      const bundle = buildBundle({
        workspace: context.workspace,
        notebookText: text,
        fileName,
        transform,
        tables,
        captured,
        columnsOf: columnsBy(context),
      });
      kept.set(transform, { key, bundle });
      void forgetFailure(transform, bundle);
      return bundle;
    },
  };
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
