import { columns } from "./columns.ts";
import { count } from "./paint.ts";

type Status = {
  environment: string;
  name: string;
  release: string;
  state: string;
  lag: number;
  recordsPerSecond: number;
  read: number;
  written: number;
  filtered: number;
  stale: number;
  deadLettered: number;
};

/** A table of pipelines; read = written + filtered + stale + dead-lettered. */
export function pipelineLines(pipelines: readonly Status[], indent = ""): string[] {
  const right = "right" as const;
  return columns(
    [
      ...[{ title: "environment" }, { title: "pipeline" }, { title: "release" }, { title: "state" }],
      ...["lag", "rec/s", "read", "written", "filtered", "stale", "dead"].map((title) => ({ title, align: right })),
    ],
    pipelines.map((p) => [
      ...[p.environment, p.name, p.release.slice(0, 6), p.state],
      ...[p.lag, Math.round(p.recordsPerSecond), p.read, p.written, p.filtered, p.stale, p.deadLettered].map(count),
    ]),
    indent,
  );
}

/** One pipeline in one line, for a pipe. */
export function pipelineLine(p: Status): string {
  return `${p.environment}/${p.name} ${p.release.slice(0, 6)} ${p.state}: lag ${p.lag}, ${Math.round(p.recordsPerSecond)} rec/s, read ${p.read} = written ${p.written} + filtered ${p.filtered} + stale ${p.stale} + dead ${p.deadLettered}`;
}
