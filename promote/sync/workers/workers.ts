import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { topicChoice } from "#snapshots/topic-schema.ts";
import type { PipelineId } from "../order/epochs.ts";
import { problemSchema } from "../problem-schema.ts";

const reportSchema = z.object({
  environment: z.string(),
  name: z.string(),
  release: z.string(),
  topic: topicChoice,
  worker: z.string(),
  pid: z.number(),
  host: z.string(),
  state: z.enum(["starting", "running", "paused", "halted", "stopped"]),
  problem: problemSchema.exactOptional(),
  /** Transient problems by where they are: `source`, `dead letters` or a sink's name. */
  backoffs: z.record(z.string(), problemSchema),
  partitions: z.array(
    z.object({
      topic: z.string(),
      partition: z.number(),
      epoch: z.number(),
      offset: z.number(),
      end: z.number(),
    }),
  ),
  /** Whether the ends of the partitions have been asked for since they were assigned: before, lag says nothing. */
  isMeasured: z.boolean(),
  /** `readers`: that people read something else than what is written. */
  sinks: z.array(
    z.object({ name: z.string(), rows: z.number(), readers: z.string().exactOptional() }),
  ),
  recordsPerSecond: z.number(),
  /** Records per second over the last minute, oldest first. */
  history: z.array(z.number()),
  guestRestarts: z.number(),
});

/** What one worker says of a pipeline it runs. Workers are processes; they meet in the state database. */
export type WorkerReport = z.infer<typeof reportSchema>;

/** A worker that has not reported for this long is taken for gone. */
export const SILENT_MS = 5000;

export function putReport(state: DatabaseSync, report: WorkerReport, nowMs: number): void {
  const { environment, name, worker } = report;
  state
    .prepare(
      `insert into sync_workers (environment, name, worker, report, seen_ms) values (?, ?, ?, ?, ?)
       on conflict do update set report = excluded.report, seen_ms = excluded.seen_ms`,
    )
    .run(environment, name, worker, JSON.stringify(report), nowMs);
  state.prepare("delete from sync_workers where seen_ms < ?").run(nowMs - 100 * SILENT_MS);
}

/** Each partition told of by one worker: who reads it, or where nobody does, the first of those that wait. */
export function eachOnce(reports: readonly WorkerReport[]): WorkerReport[] {
  const teller = new Map<string, string>();
  const keyOf = (report: WorkerReport, { topic, partition }: Place): string =>
    JSON.stringify([report.environment, report.name, topic, partition]);
  const rank = ({ state }: WorkerReport): number => (state === "running" ? 0 : 1);
  const ranked = reports.toSorted((a, b) => rank(a) - rank(b) || (a.worker < b.worker ? -1 : 1));
  for (const report of ranked.toReversed())
    for (const place of report.partitions) teller.set(keyOf(report, place), report.worker);
  return reports.map((report) => ({
    ...report,
    partitions: report.partitions.filter(
      (place) => teller.get(keyOf(report, place)) === report.worker,
    ),
  }));
}

type Place = { topic: string; partition: number };

export function dropReport(state: DatabaseSync, id: PipelineId, worker: string): void {
  state
    .prepare("delete from sync_workers where environment = ? and name = ? and worker = ?")
    .run(id.environment, id.name, worker);
}

/** The reports of every worker that lives, of all pipelines. */
export function livingReports(state: DatabaseSync, nowMs: number): WorkerReport[] {
  const rows = state
    .prepare(
      "select report from sync_workers where seen_ms >= ? order by environment, name, worker",
    )
    .all(nowMs - SILENT_MS);
  return rows.flatMap((row) => {
    const { report } = z.object({ report: z.string() }).parse(row);
    const parsed = reportSchema.safeParse(JSON.parse(report));
    return parsed.success ? [parsed.data] : [];
  });
}
