import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { PipelineId, Stretch } from "./epochs.ts";
import type { TopicReader } from "./ports.ts";
import { askRewrite } from "./rewrites.ts";

/** Which dead letters to send through the current release once more. */
export type LetterChoice =
  | "all"
  | readonly (Pick<Stretch, "topic" | "partition"> & { offset: number })[];

/** `asked`: letters that will be replayed. `gone`: those whose records the topic no longer holds. */
export type Replay = { asked: number; gone: number };

/**
 * Asks for dead letters to be handled again by the release that runs now: each is read from its topic with everything that followed of its identity,
 * in offset order, so that an old record never takes the place of a newer one. What fails again stays a dead letter, with its new reason.
 */
export async function replayDeadLetters(
  state: DatabaseSync,
  { topic: current, ...id }: PipelineId & { topic: string },
  choice: LetterChoice,
  reader: TopicReader,
  now: Date,
): Promise<Result<Replay>> {
  const letters = placesOf(state, id);
  const chosen = choice === "all" ? undefined : new Set(choice.map(placeOf));
  const isChosen = (letter: Letter): boolean => chosen?.has(placeOf(letter)) ?? true;
  const groups = new Map<string, Letter[]>();
  for (const letter of letters.filter(isChosen)) {
    const key = JSON.stringify([letter.topic, letter.incarnation, letter.partition]);
    groups.set(key, [...(groups.get(key) ?? []), letter]);
  }
  const replay: Replay = { asked: 0, gone: 0 };
  for (const [first, ...rest] of groups.values()) {
    if (first === undefined) continue;
    const { topic, incarnation, partition } = first;
    // Nobody reads a topic that the pipeline was turned away from: its letters stay as they are.
    const isSame = topic === current && (await reader.incarnation(topic)) === incarnation;
    const ranges = isSame ? await reader.ranges(topic) : [];
    const range = ranges.find((one) => one.partition === partition);
    const offsets = [first, ...rest].map((letter) => letter.offset);
    const there = offsets.filter((offset) => isSame && offset >= (range?.first ?? Infinity));
    replay.gone += offsets.length - there.length;
    replay.asked += there.length;
    if (there.length === 0) continue;
    askRewrite(state, id, {
      topic,
      incarnation,
      partition,
      from: Math.min(...there),
      selection: { offsets: there, tokens: [] },
      reason: "dead letters replayed",
      askedAt: now.toISOString(),
    });
  }
  if (replay.asked > 0) return ok(replay);
  return fail({
    code: "nothing-to-replay",
    message:
      replay.gone === 0
        ? "None of these dead letters is there any more."
        : `The topic no longer holds the records of these ${replay.gone} dead letters.`,
    hint:
      replay.gone === 0
        ? "Look at the page again: they may have been replayed."
        : "Send them to the topic again from where they came, or let them be.",
  });
}

function placeOf({
  topic,
  partition,
  offset,
}: Pick<Letter, "topic" | "partition" | "offset">): string {
  return `${partition}/${offset}/${topic}`;
}

const placeSchema = z.object({
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  offset: z.number(),
});
type Letter = z.infer<typeof placeSchema>;

function placesOf(state: DatabaseSync, id: PipelineId): Letter[] {
  return state
    .prepare(
      `select distinct topic, incarnation, partition, record_offset as "offset" from sync_dead_letters
       where environment = ? and name = ? order by record_offset`,
    )
    .all(id.environment, id.name)
    .map((row) => placeSchema.parse(row));
}
