import { fail, ok, type Result } from "#snapshots/problem.ts";
import { openDeadLetterView } from "./dead-letter-groups.ts";
import type { LetterPlace } from "./sync/dead-letters/dead-letters.ts";
import type { PipelineId } from "./sync/order/epochs.ts";
import type { Workbench } from "./workbench.ts";

/** A group's letters, with `until` those that had failed by then: what comes while somebody decides is not decided upon. Or single letters. */
export type DismissChoice = { group: string; until?: string | undefined } | readonly LetterPlace[];

/** Somebody says of dead letters that nothing more is to be done about them, or takes it back. Recorded among the acts of people. */
export async function dismissLetters(request: {
  workbench: Pick<Workbench, "sync" | "state" | "workspace" | "now">;
  id: PipelineId;
  action: "dismiss" | "restore";
  letters: DismissChoice;
  by: string;
}): Promise<Result<number>> {
  const { workbench, id, action, letters, by } = request;
  const now = workbench.now();
  const places = "group" in letters ? await placesOf(request, letters) : letters;
  const dismissal = action === "dismiss" ? { at: now.toISOString(), by } : null;
  const changed = await workbench.sync.setDismissed(id, places, dismissal);
  if (changed === 0) return fail(nothingTo(action));
  workbench.state.audit({
    at: now,
    by,
    action,
    environment: id.environment,
    transform: id.name,
    release: null,
    commit: null,
    details: {
      letters: changed,
      ...("group" in letters ? { group: letters.group } : { places: letters }),
    },
  });
  return ok(changed);
}

async function placesOf(
  { workbench, id, action }: Parameters<typeof dismissLetters>[0],
  { group, until }: { group: string; until?: string | undefined },
): Promise<LetterPlace[]> {
  const view = openDeadLetterView(workbench.workspace.paths.state);
  try {
    const shelf = action === "dismiss" ? "open" : "dismissed";
    const { places } = await view.places(id, { groups: [group], stages: [], until, shelf });
    return places;
  } finally {
    view.close();
  }
}

function nothingTo(action: "dismiss" | "restore") {
  return {
    code: `nothing-to-${action}`,
    message:
      action === "dismiss"
        ? "None of these dead letters is there any more."
        : "None of these dead letters is dismissed.",
    hint: "Look at the page again: they may have been replayed, or somebody else was faster.",
  };
}
