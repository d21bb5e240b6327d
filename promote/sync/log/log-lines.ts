import type { Problem } from "#snapshots/problem.ts";
import type { DeadLetter } from "../dead-letters/dead-letters.ts";
import type { Epoch } from "../order/epochs.ts";
import type { PipelineEvent } from "../events.ts";
import { messageWithoutValues, reasonWithoutValues } from "./log-reason.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import { traceOf } from "../pipeline/trace.ts";

/** `fields` are named as the Elastic Common Schema has them; what it has no name for is among the `labels`. */
export type LogLine = {
  level: "debug" | "info" | "warn" | "error";
  message: string;
  fields: Record<string, unknown>;
  labels: Labels;
};

type Labels = Record<string, string | number>;
type Committed = Extract<PipelineEvent, { kind: "committed" }>;
type Rewritten = Extract<PipelineEvent, { kind: "rewritten" }>;

/** Of one batch's dead letters, these are told one by one; the rest are counted. A poisoned topic must not become a flood of lines. */
const MOST_LETTERS = 10;

/** Says what is worth a line. Remembers which waits have begun and what ran last; never quotes a record. */
export function openLogLines(options: {
  nowMs: () => number;
  tellsCommits: boolean;
}): (spec: PipelineSpec, event: PipelineEvent) => LogLine[] {
  const waits = new Map<string, { sinceMs: number; problem: Problem }>();
  const releases = new Map<string, string>();

  function changed(spec: PipelineSpec, event: Extract<PipelineEvent, { kind: "state" }>): LogLine {
    const id = idOf(spec);
    releases.set(id, spec.release);
    for (const key of waits.keys()) if (key.startsWith(`${id}\0`)) waits.delete(key);
    const { level, says } = STATES[event.state];
    const line = lineOf(spec, level, `pipeline-${event.state}`, `Pipeline ${id} ${says}.`);
    return event.problem === undefined ? line : withProblem(line, event.problem);
  }

  function waited(
    spec: PipelineSpec,
    event: Extract<PipelineEvent, { kind: "backoff" }>,
  ): LogLine[] {
    const { where, problem } = event;
    const key = `${idOf(spec)}\0${where}`;
    const began = waits.get(key);
    if ((began === undefined) === (problem === undefined)) return [];
    if (problem !== undefined) {
      waits.set(key, { sinceMs: options.nowMs(), problem });
      const line = lineOf(spec, "warn", "backoff-began", `Waits for ${where}.`, { where });
      return [withProblem(line, problem)];
    }
    waits.delete(key);
    const ms = options.nowMs() - (began?.sinceMs ?? 0);
    const says = `${where} is back after ${(ms / 1000).toFixed(1)} s.`;
    const line = lineOf(spec, "info", "backoff-ended", says, { where });
    const { code = "" } = began?.problem ?? {};
    return [
      { ...line, fields: { ...line.fields, "event.duration": ms * 1e6, "error.code": code } },
    ];
  }

  function opened(spec: PipelineSpec, epoch: Epoch): LogLine[] {
    const id = idOf(spec);
    const before = releases.get(id);
    const says = `Epoch ${epoch.epoch} of ${epoch.topic}/${epoch.partition} begins at offset ${epoch.firstOffset} (${epoch.reason}).`;
    const line = lineOf(spec, "info", "epoch-opened", says, placeOf(epoch, epoch.firstOffset));
    if (before === undefined || before === epoch.release) return [line];
    releases.set(id, epoch.release);
    const swap = `Release ${epoch.release} takes over from ${before}.`;
    const labels = { release: epoch.release, previousRelease: before };
    return [lineOf(spec, "info", "release-swapped", swap, labels), line];
  }

  return (spec, event) => {
    switch (event.kind) {
      case "state":
        return [changed(spec, event)];
      case "assigned": {
        const { epoch, offset } = event;
        const says = `Reads ${epoch.topic}/${epoch.partition} from offset ${offset} in epoch ${epoch.epoch}.`;
        return [lineOf(spec, "info", "partition-assigned", says, placeOf(epoch, offset))];
      }
      case "revoked":
        return event.partitions.map(({ topic, partition }) =>
          lineOf(spec, "info", "partition-revoked", `Gives ${topic}/${partition} up.`, {
            topic,
            partition,
          }),
        );
      case "epoch":
        return opened(spec, event.epoch);
      case "backoff":
        return waited(spec, event);
      case "committed":
        return [
          ...letterLines(spec, event),
          ...(options.tellsCommits ? [commitLine(spec, event)] : []),
        ];
      case "rewritten":
        return [
          ...letterLines(spec, event),
          ...(options.tellsCommits ? [rewriteLine(spec, event)] : []),
        ];
      case "read":
      case "stage":
      case "write":
      case "judged":
        return NOTHING;
    }
  };
}

const NOTHING: LogLine[] = [];

const STATES = {
  starting: { level: "info", says: "starts" },
  running: { level: "info", says: "runs" },
  paused: { level: "info", says: "is paused" },
  stopped: { level: "info", says: "is stopped" },
  halted: { level: "error", says: "has halted and needs a person" },
} as const;

function letterLines(spec: PipelineSpec, { piece, deadLetters }: Committed | Rewritten): LogLine[] {
  const lines = deadLetters
    .slice(0, MOST_LETTERS)
    .map((letter) => letterLine(spec, letter, piece.epoch.epoch));
  const rest = deadLetters.length - lines.length;
  if (rest === 0) return lines;
  const { topic, partition } = piece.stretch;
  const says = `And ${rest} more dead letters in the same batch of ${topic}/${partition}.`;
  const labels = { ...placeOf(piece.epoch, piece.next), count: rest };
  return [...lines, lineOf(spec, "warn", "dead-letters", says, labels)];
}

function letterLine(spec: PipelineSpec, letter: DeadLetter, epoch: number): LogLine {
  const { topic, partition, offset, stage, release } = letter;
  const reason = reasonWithoutValues(stage, letter.reason);
  const says = `Dead letter: ${topic}/${partition} offset ${offset}: ${reason}.`;
  const labels = { release, topic, partition, offset, epoch, stage };
  const line = lineOf(spec, "warn", "dead-letter", says, labels);
  const trace = traceOf(letter.headers);
  return {
    ...line,
    fields: {
      ...line.fields,
      "error.message": reason,
      ...(trace === undefined ? {} : { "trace.id": trace.traceId }),
    },
  };
}

function commitLine(spec: PipelineSpec, { piece, counts }: Committed): LogLine {
  const { topic, partition } = piece.stretch;
  const says = `Committed ${topic}/${partition} up to offset ${piece.next}.`;
  const labels = { ...placeOf(piece.epoch, piece.next), ...counts };
  return lineOf(spec, "debug", "committed", says, labels);
}

function rewriteLine(spec: PipelineSpec, { piece, counts, reason }: Rewritten): LogLine {
  const { topic, partition } = piece.stretch;
  const says = `Wrote ${topic}/${partition} again up to offset ${piece.next} (${reason}).`;
  const labels = { ...placeOf(piece.epoch, piece.next), ...counts };
  return lineOf(spec, "debug", "rewritten", says, labels);
}

function placeOf(epoch: Epoch, offset: number): Labels {
  const { topic, partition, release } = epoch;
  return { release, topic, partition, offset, epoch: epoch.epoch };
}

function withProblem(line: LogLine, problem: Problem): LogLine {
  const message = messageWithoutValues(problem);
  const says = [line.message, message, problem.hint ?? ""].filter((part) => part !== "").join(" ");
  const { offset } = problem.at ?? {};
  const fields = { ...line.fields, "error.code": problem.code, "error.message": message };
  const labels = offset === undefined ? line.labels : { ...line.labels, offset };
  return { ...line, message: says, fields, labels };
}

function lineOf(
  spec: PipelineSpec,
  level: LogLine["level"],
  action: string,
  message: string,
  more: Labels = {},
): LogLine {
  const { environment, name, release } = spec;
  const labels = { environment, pipeline: name, release, ...more };
  const fields = { "service.environment": environment, "event.action": action };
  return { level, message, fields, labels };
}

function idOf({ environment, name }: PipelineSpec): string {
  return `${environment}:${name}`;
}
