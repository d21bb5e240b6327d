import type { Generation } from "#promote/sync/ports.ts";
import { count, counted } from "../format.ts";
import type { DesiredEnvironment } from "./board.ts";

/** Whether a pipeline writes to a sink that may have several indices, of which one is read. */
export function hasGenerations(where: DesiredEnvironment | undefined, name: string): boolean {
  const sinks = where?.pipelines[name]?.sinks ?? [];
  return where?.elasticsearch !== undefined && sinks.includes("search");
}

/** The list in one sentence: above all whether people read what is written. */
export function sentenceOf(generations: readonly Generation[]): string {
  const read = generations.find(({ isRead }) => isRead);
  const indices = counted(generations.length, "index", "indices");
  if (read === undefined) return `${indices}, of which people read none`;
  if (read.isWritten) return `${indices}; people read what is written`;
  return generations.some(({ isWritten }) => isWritten)
    ? `${indices}; people read another than is written`
    : `${indices}; the next start makes another, to write to`;
}

/** What people see from the moment they are turned to an index. */
export function turnText(generations: readonly Generation[], to: Generation): string {
  const now = generations.find(({ isRead }) => isRead);
  const rows =
    now === undefined
      ? counted(to.rows, "row")
      : `${counted(to.rows, "row")} instead of ${count(now.rows)}`;
  return to.isWritten
    ? `At once, all who read by the alias see this index: ${rows}. What was written to another index alone is missing until a backfill, which turns readers by itself once all is there.`
    : `At once, all who read by the alias see this index: ${rows}. It is not what is written, so it stays as it is until readers are turned again.`;
}
