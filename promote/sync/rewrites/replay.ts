import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { isAmongTopics, type TopicChoice } from "#snapshots/topic-choice.ts";
import { listEpochs, type PipelineId, type Stretch } from "../order/epochs.ts";
import { settledOffset } from "../order/layers.ts";
import type { TopicReader } from "../ports.ts";
import { askRewrite } from "./rewrites.ts";

/** Which dead letters to send through the current release once more. */
export type LetterChoice = "all" | readonly Place[];

/**
 * `asked`: letters that will be replayed. `gone`: those whose records the topic no longer holds. `moved`: those from before the topic was given more
 * partitions, whose identities may have newer records in another one.
 */
export type Replay = { asked: number; gone: number; moved: number };

/**
 * Asks for dead letters to be handled again by the release that runs now: each is read from its topic with everything that followed of its identity,
 * in offset order, so that an old record never takes the place of a newer one. What fails again stays a dead letter, with its new reason.
 */
export async function replayDeadLetters(
  state: DatabaseSync,
  { topic: current, ...id }: PipelineId & { topic: TopicChoice },
  choice: LetterChoice,
  reader: TopicReader,
  now: Date,
): Promise<Result<Replay>> {
  const isChosen = choice === "all" ? () => true : isAmong(choice);
  const replay: Replay = { asked: 0, gone: 0, moved: 0 };
  const epochs = listEpochs(state, id);
  const isRead = isAmongTopics(current);
  for (const { topic, incarnation, partition, offsets: all } of openPlaces(state, id)) {
    const offsets = all.filter((offset) => isChosen({ topic, partition, offset }));
    if (offsets.length === 0) continue;
    // Nobody reads a topic that the pipeline was turned away from: its letters stay as they are.
    const isSame = isRead(topic) && (await reader.incarnation(topic)) === incarnation;
    const ranges = isSame ? await reader.ranges(topic) : [];
    const range = ranges.find((one) => one.partition === partition);
    const there = offsets.filter((offset) => isSame && offset >= (range?.first ?? Infinity));
    const settled = settledOffset(epochs, { topic, incarnation, partition });
    const safe = there.filter((offset) => offset >= settled);
    replay.gone += offsets.length - there.length;
    replay.moved += there.length - safe.length;
    replay.asked += safe.length;
    const [from] = safe;
    if (from === undefined) continue;
    askRewrite(state, id, {
      topic,
      incarnation,
      partition,
      from,
      selection: { offsets: safe, tokens: [] },
      reason: "dead letters replayed",
      askedAt: now.toISOString(),
    });
  }
  return replay.asked > 0 ? ok(replay) : fail(nothingOf(replay));
}

function nothingOf({ gone, moved }: Replay): Problem {
  const code = "nothing-to-replay";
  const sendAgain = "Send them to the topic again from where they came, or let them be.";
  if (moved > 0) {
    const lost = gone > 0 ? ` It no longer holds the records of ${gone} others.` : "";
    return {
      code,
      message: `The topic was given more partitions after the records of these ${moved} dead letters: newer records of the same identities may lie in other partitions, and a replay would override them.${lost}`,
      hint: sendAgain,
    };
  }
  if (gone > 0)
    return {
      code,
      message: `The topic no longer holds the records of these ${gone} dead letters.`,
      hint: sendAgain,
    };
  return {
    code,
    message: "None of these dead letters is there any more.",
    hint: "Look at the page again: they may have been replayed.",
  };
}

type Place = Pick<Stretch, "topic" | "partition"> & { offset: number };

function isAmong(places: readonly Place[]): (place: Place) => boolean {
  const partitions = new Map<string, Set<number>>();
  const keyOf = ({ topic, partition }: Place): string => `${partition}/${topic}`;
  for (const place of places) {
    const offsets = partitions.get(keyOf(place)) ?? new Set();
    partitions.set(keyOf(place), offsets.add(place.offset));
  }
  return (place) => partitions.get(keyOf(place))?.has(place.offset) === true;
}

const placesSchema = z.object({
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  offsets: z.string().transform((json) => z.array(z.number()).parse(JSON.parse(json))),
});

/** Where the letters are that nobody dismissed: each record once, in offset order. */
function openPlaces(
  state: DatabaseSync,
  id: PipelineId,
): (Stretch & { offsets: readonly number[] })[] {
  return state
    .prepare(
      `select topic, incarnation, partition, json_group_array(record_offset) as offsets
       from sync_dead_letters indexed by sync_dead_letters_by_reason
       where environment = ? and name = ? and (dismissed_at is null) = 1 group by topic, incarnation, partition`,
    )
    .all(id.environment, id.name)
    .map((row) => {
      const { offsets, ...stretch } = placesSchema.parse(row);
      // Several stages may have refused a record.
      return { ...stretch, offsets: [...new Set(offsets)].toSorted((a, b) => a - b) };
    });
}
