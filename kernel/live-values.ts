import type { Problem } from "#snapshots/problem.ts";
import { analyseCell, type CellAnalysis } from "./analysis.ts";
import type { CellGuest } from "./cell-guest.ts";
import { execute, type CellRun } from "./cell-runner.ts";
import type { CellId } from "./document.ts";
import { cellLabel } from "./locate.ts";
import { sourceOf } from "./notebook.ts";
import type { SessionValues } from "./session-file.ts";
import { cellOf, graphOf, inputKeys, type Session } from "./session-state.ts";

type Held = {
  guest: CellGuest;
  session: Session;
  values: SessionValues;
  runOf(id: CellId, source: string, inputs: Record<string, string>): Omit<CellRun, "onOutput">;
};

/** Sees that the guest holds what a cell uses: stored values are put back, recipes executed again with what they need. */
export async function makeLive(
  held: Held,
  inputs: Record<string, string>,
  seen: Set<CellId>,
): Promise<Problem | undefined> {
  const { guest, session, values } = held;
  const ready = await guest.ready();
  if (!ready.ok) return ready.problem;
  const graph = graphOf(session);
  const stored: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(inputs)) {
    if (guest.live.get(name) === key) continue;
    const definer = graph.definers.get(name);
    if (definer === undefined || analysisOf(session, definer)?.types.includes(name)) continue;
    const kept = values[definer]?.[name];
    if (kept !== undefined) {
      stored[name] = kept;
      guest.live.set(name, key);
      continue;
    }
    if (seen.has(definer)) continue;
    seen.add(definer);
    const problem = await executeAgain(held, definer, seen);
    if (problem) return problem;
  }
  if (Object.keys(stored).length === 0) return undefined;
  const restored = await guest.restore(stored);
  return restored.ok ? undefined : restored.problem;
}

async function executeAgain(
  held: Held,
  id: CellId,
  seen: Set<CellId>,
): Promise<Problem | undefined> {
  const { guest, session } = held;
  const cell = cellOf(session, id);
  if (!cell) return undefined;
  const inputs = inputKeys(session, id, graphOf(session));
  const problem = await makeLive(held, inputs, seen);
  if (problem) return problem;
  const source = sourceOf(cell);
  const done = await execute(held.runOf(id, source, inputs), analyseCell(source), () => undefined);
  if (!done.ok) return done.problem;
  for (const [name, key] of Object.entries(session.records[id]?.run?.values ?? {}))
    guest.live.set(name, key);
  return undefined;
}

/** Why a cell cannot run: a name it uses comes from a cell that failed. */
export function missingInput(
  session: Session,
  id: CellId,
  inputs: Record<string, string>,
): Problem | undefined {
  const { definers } = graphOf(session);
  for (const name of Object.keys(inputs)) {
    const definer = definers.get(name) ?? "";
    if (session.records[definer]?.run?.isOk) continue;
    const label = cellLabel(session.ids.indexOf(definer));
    return {
      code: "needs-failed",
      message: `\`${name}\` is not there: ${label}, which defines it, failed.`,
      hint: `Correct ${label} and run again.`,
      at: { cell: id },
    };
  }
  return undefined;
}

function analysisOf(session: Session, id: CellId): CellAnalysis | undefined {
  const cell = cellOf(session, id);
  return cell && analyseCell(sourceOf(cell));
}
