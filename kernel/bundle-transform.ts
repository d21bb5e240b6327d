import { basename } from "node:path";
import type { Result } from "#snapshots/problem.ts";
import { buildBundle, type Bundle, type BundleRequest } from "./bundle.ts";
import type { Evaluation } from "./evaluate.ts";
import { openSession } from "./session-host.ts";
import { columnsBy } from "./transform-codes.ts";

/**
 * A transform's bundle with everything found out that its text alone does not say: the columns of queries it reads, and
 * the values it captures, for which the notebook is run. The same bytes as the preview's.
 */
export async function bundleTransform(
  context: Evaluation,
  request: Omit<BundleRequest, "workspace">,
): Promise<Result<Bundle>> {
  const { workspace } = context;
  const whole = { ...request, workspace, columnsOf: columnsBy(context) };
  const bundle = await buildBundle(whole);
  if (bundle.ok || bundle.problem.code !== "not-repeatable" || request.captured) return bundle;
  const opened = await openSession({
    ...context,
    name: basename(request.fileName, ".ts"),
    text: request.notebookText,
  });
  if (!opened.ok) return opened;
  const session = opened.value;
  try {
    const definer = session
      .document()
      .cells.find((cell) => cell.defines.includes(request.transform));
    await session.apply({ type: "run", cells: definer ? [definer.id] : [] });
    await session.whenIdle();
    return await buildBundle({ ...whole, captured: session.captured() });
  } finally {
    await session.close();
  }
}
