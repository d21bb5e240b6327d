import { visible } from "#promote/report/value.ts";
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
  problem?: { message: string } | undefined;
  sinks: readonly { name: string; readers?: string | undefined }[];
};

const titles = ["environment", "pipeline", "release", "state"];
const numbers = [">lag", ">rec/s", ">read", ">written", ">filtered", ">stale", ">dead"];

/** A table of pipelines, read = written + filtered + stale + dead-lettered; below it what troubles them. */
export function pipelineLines(pipelines: readonly Status[], indent = ""): string[] {
  const rows = pipelines.map((p) => {
    const perSecond = Math.round(p.recordsPerSecond);
    const counts = [p.lag, perSecond, p.read, p.written, p.filtered, p.stale, p.deadLettered];
    return [p.environment, p.name, p.release.slice(0, 6), p.state, ...counts.map(count)];
  });
  return [...columns([...titles, ...numbers], rows, indent), ...troubleLines(pipelines, indent)];
}

/** Why pipelines do not flow, and whose readers are behind: a line each. */
export function troubleLines(pipelines: readonly Status[], indent = ""): string[] {
  const troubles = pipelines.flatMap(({ environment, name, problem }) =>
    problem ? [`${indent}${environment}:${name}: ${visible(problem.message)}`] : [],
  );
  const behind = pipelines.flatMap(({ environment, name, sinks }) =>
    sinks.flatMap(({ name: sink, readers }) =>
      readers === undefined ? [] : [`${indent}${environment}:${name}, ${sink}: ${readers}`],
    ),
  );
  return [...troubles, ...behind];
}

/** One pipeline in one line, for a pipe. */
export function pipelineLine(p: Status): string {
  const sum = `read ${p.read} = written ${p.written} + filtered ${p.filtered} + stale ${p.stale} + dead ${p.deadLettered}`;
  return `${p.environment}/${p.name} ${p.release.slice(0, 6)} ${p.state}: lag ${p.lag}, ${Math.round(p.recordsPerSecond)} rec/s, ${sum}`;
}
