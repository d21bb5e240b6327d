import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import type { LetterPlace } from "./dead-letters.ts";
import type { PipelineId } from "../order/epochs.ts";
import { inTransaction } from "../state.ts";

/** After so many letters other work has its turn. */
const TURN_LETTERS = 1_000;

/**
 * Takes letters off the list, or with `by` null puts them back, and says how many. They stay in the database with their bytes: what was refused
 * is refused, for a verify and in every count, whoever has seen it.
 */
export async function setDismissed(
  state: DatabaseSync,
  id: PipelineId,
  places: readonly LetterPlace[],
  by: { at: string; by: string } | null,
): Promise<number> {
  const set = state.prepare(
    `update sync_dead_letters set dismissed_at = ?, dismissed_by = ? where environment = ? and name = ? and topic = ? and incarnation = ?
       and partition = ? and record_offset = ? and stage = ? and (dismissed_at is null) = ?`,
  );
  const wasOpen = by === null ? 0 : 1;
  let changed = 0;
  for (let from = 0; from < places.length; from += TURN_LETTERS) {
    if (from > 0) await setImmediate();
    changed += inTransaction(state, () =>
      places.slice(from, from + TURN_LETTERS).reduce((sum, place) => {
        const { topic, incarnation, partition, offset, stage } = place;
        const where = [id.environment, id.name, topic, incarnation, partition, offset, stage];
        const { changes } = set.run(by?.at ?? null, by?.by ?? null, ...where, wasOpen);
        return sum + Number(changes);
      }, 0),
    );
  }
  return changed;
}
