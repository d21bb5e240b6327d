import type { PipelineStatus } from "#promote/sync/sync.ts";
import type { Problem } from "#snapshots/problem.ts";
import { count, counted } from "../format.ts";
import type { IconName } from "../shell/Icon.svelte";

type State = PipelineStatus["state"];

/** How a state looks and is called. Only what waits for a person has a hue. */
export const looks: Record<State, { word: string; icon: IconName; tone: "" | "warn" | "fail" }> = {
  starting: { word: "starting", icon: "queued", tone: "" },
  flowing: { word: "flowing", icon: "check", tone: "" },
  idle: { word: "idle, caught up", icon: "check", tone: "" },
  paused: { word: "paused", icon: "pause", tone: "" },
  "backing-off": { word: "backing off", icon: "warning", tone: "warn" },
  halted: { word: "halted", icon: "error", tone: "fail" },
  stopped: { word: "stopped", icon: "stop", tone: "" },
};

/** The page in one sentence: what needs somebody first, else that all is well. */
export function verdict(pipelines: readonly PipelineStatus[], missing: number): string {
  if (missing > 0)
    return missing === 1
      ? "One pipeline should run and does not."
      : `${missing} pipelines should run and do not.`;
  if (pipelines.length === 0) return "Nothing runs yet.";
  const name = ({ environment, name }: PipelineStatus) => `${environment} / ${name}`;
  const halted = pipelines.filter(({ state }) => state === "halted");
  if (halted[0])
    return halted.length === 1
      ? `${name(halted[0])} is halted.`
      : `${halted.length} pipelines are halted.`;
  const waiting = pipelines.filter(({ state }) => state === "backing-off");
  if (waiting[0])
    return waiting.length === 1
      ? `${name(waiting[0])} is backing off.`
      : `${waiting.length} pipelines are backing off.`;
  const dead = pipelines.reduce((sum, { deadLettered }) => sum + deadLettered, 0);
  const flows = pipelines.every(({ state }) => state === "flowing" || state === "idle")
    ? pipelines.length === 1
      ? "It flows."
      : `All ${pipelines.length} flow.`
    : stateCounts(pipelines);
  return dead === 0
    ? `${flows} Nothing is dead-lettered.`
    : `${flows} ${counted(dead, "record")} dead-lettered.`;
}

/** "2 flowing, 1 paused". */
export function stateCounts(pipelines: readonly PipelineStatus[]): string {
  const counts = new Map<string, number>();
  for (const { state } of pipelines)
    counts.set(looks[state].word, (counts.get(looks[state].word) ?? 0) + 1);
  return `${[...counts].map(([word, number]) => `${number} ${word}`).join(", ")}.`;
}

/** Records read are what became of them: read = written + filtered + stale + dead-lettered (+ what is on its way). */
export function ledger(status: PipelineStatus): {
  read: number;
  terms: { value: number; word: string }[];
} {
  const { read, written, filtered, stale, deadLettered, retracted } = status;
  const terms = [
    { value: written, word: "written" },
    { value: filtered, word: "filtered" },
    { value: stale, word: "stale" },
    { value: deadLettered, word: "dead-lettered" },
  ];
  // Tombstones delete an identity: they are read, and neither written nor filtered.
  const rest = read - terms.reduce((sum, { value }) => sum + value, 0);
  if (rest > 0) terms.push({ value: rest, word: rest === retracted ? "deleted" : "on the way" });
  return { read, terms };
}

/** How far behind the end of the topic. */
export function lagText(status: Pick<PipelineStatus, "lag">): string {
  return status.lag === 0 ? "no lag" : `${count(status.lag)} behind`;
}

export type Trouble = { key: string; title?: string; problem: Problem };

/** What keeps a pipeline from flowing: its own problem, and each sink's that backs off while another may be fine. */
export function troubles({ problem, sinks }: Pick<PipelineStatus, "problem" | "sinks">): Trouble[] {
  const ofSinks = sinks.flatMap(({ name, problem }): Trouble[] =>
    problem ? [{ key: name, problem }] : [],
  );
  const fine = sinks.filter((sink) => !sink.problem).map(({ name }) => name);
  const told = ofSinks.map((one): Trouble => ({
    ...one,
    title: `Sink ${one.key} is backing off${fine.length > 0 ? `; ${fine.join(", ")} is fine` : ""}.`,
  }));
  const behind = sinks.flatMap(({ name, readers }): Trouble[] =>
    readers === undefined
      ? []
      : [
          {
            key: `readers of ${name}`,
            title: `Readers of ${name} are behind.`,
            problem: { code: "readers-behind", message: readers },
          },
        ],
  );
  const isOfSink = ofSinks.some((one) => one.problem.message === problem?.message);
  const all = [...told, ...behind];
  return problem && !isOfSink ? [{ key: "", problem }, ...all] : all;
}
