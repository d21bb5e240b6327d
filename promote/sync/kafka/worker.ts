import type { Problem } from "#snapshots/problem.ts";
import type { SourceEvent } from "../ports.ts";
import { openBell, type Bell } from "./bell.ts";
import type { KafkaClient } from "./client.ts";
import { failureOf } from "./errors.ts";
import type { Held } from "./held.ts";
import type { TopicMetadata } from "./metadata.ts";

/** Where reading starts in a partition of which nothing is committed. */
export type Start =
  | "earliest"
  | "latest"
  | { timestampMs: number }
  | { offsets: readonly { topic: string; partition: number; offset: number }[] };

/** What the tasks of one source share: membership, fetching, watching topics, and the caller's polls. */
export type Worker = {
  client: KafkaClient;
  held: Map<string, Held>;
  /** As last seen. */
  topics: ReadonlyMap<string, TopicMetadata>;
  /** Told at the next polls, in order. */
  events: SourceEvent[];
  /** What is being waited out, by task. */
  troubles: Map<string, Problem>;
  halted: Problem | undefined;
  closing: AbortController;
  /** Rung when a poll may have something to say. */
  news: Bell;
  /** Rung when there may be something to fetch. */
  room: Bell[];
};

export function openWorker(client: KafkaClient): Worker {
  return {
    client,
    held: new Map(),
    topics: new Map(),
    events: [],
    troubles: new Map(),
    halted: undefined,
    closing: new AbortController(),
    news: openBell(),
    room: [],
  };
}

export function isClosing(worker: Worker): boolean {
  return worker.closing.signal.aborted;
}

export function ringRoom(worker: Worker): void {
  for (const bell of worker.room) bell.ring();
}

export function halt(worker: Worker, problem: Problem): void {
  worker.halted ??= problem;
  worker.news.ring();
}

/** A task's failure: waited out, or the end of the source. */
export function report(worker: Worker, task: string, cause: unknown, doing: string): void {
  if (isClosing(worker)) return;
  const failure = failureOf(cause, doing);
  if (failure.kind === "halt") halt(worker, failure.problem);
  else trouble(worker, task, failure.problem);
}

export function trouble(worker: Worker, task: string, problem: Problem): void {
  worker.troubles.set(task, problem);
  worker.news.ring();
}
