import type { PipelineStatus } from "#promote/sync/sync.ts";
import type { TopicChoice } from "#snapshots/topic-choice.ts";

type DesiredPipeline = { release: string; topic: TopicChoice; sinks: unknown[] };

export type DesiredEnvironment = {
  name: string;
  kind: string;
  approvals: number;
  pipelines: Record<string, DesiredPipeline>;
  /** Of an environment on servers. `separate`: only workers started beside the server run its pipelines. */
  workers?: string;
  kafka?: { brokers: string[] };
  cassandra?: { contactPoints: string[]; keyspace: string };
  elasticsearch?: { nodes: string[]; prefix: string };
};

/** Where an environment runs, in a line and in full. */
export function whereabouts({
  kind,
  kafka,
  cassandra,
  elasticsearch,
  workers,
}: DesiredEnvironment): {
  short: string;
  whole: string[];
} {
  if (kind === "embedded") return { short: kind, whole: ["Files in the workspace"] };
  if (!kafka) return { short: kind, whole: [] };
  return {
    short: `servers, Kafka ${kafka.brokers[0] ?? ""}${kafka.brokers.length > 1 ? ` and ${kafka.brokers.length - 1} more` : ""}`,
    whole: [
      `Kafka ${kafka.brokers.join(", ")}`,
      ...(cassandra
        ? [`Cassandra ${cassandra.contactPoints.join(", ")}, keyspace ${cassandra.keyspace}`]
        : []),
      ...(elasticsearch
        ? [`Elasticsearch ${elasticsearch.nodes.join(", ")}, indices ${elasticsearch.prefix}…`]
        : []),
      ...(workers === "separate" ? ["Workers are started apart, with penstock sync"] : []),
    ],
  };
}

/** A place on the board: what runs there, or what should run there and does not. */
export type Place =
  | { kind: "running"; status: PipelineStatus }
  | { kind: "missing"; release: string }
  | { kind: "none" };

export type Board = {
  environments: DesiredEnvironment[];
  rows: { name: string; places: Place[] }[];
};

/** Environments as columns in the order of a release's way, one row a pipeline. */
export function board(
  environments: readonly DesiredEnvironment[],
  running: readonly PipelineStatus[],
): Board {
  const names = new Set([
    ...environments.flatMap(({ pipelines }) => Object.keys(pipelines)),
    ...running.map(({ name }) => name),
  ]);
  const known = new Set(environments.map(({ name }) => name));
  const undeclared = [...new Set(running.map(({ environment }) => environment))].filter(
    (name) => !known.has(name),
  );
  const columns = [
    ...environments,
    ...undeclared.map((name) => ({ name, kind: "", approvals: 0, pipelines: {} })),
  ];
  const rows = [...names].toSorted().map((name) => ({
    name,
    places: columns.map((environment) => place(environment, name, running)),
  }));
  return { environments: columns, rows };
}

function place(
  environment: DesiredEnvironment,
  name: string,
  running: readonly PipelineStatus[],
): Place {
  const status = running.find(
    (each) => each.environment === environment.name && each.name === name,
  );
  if (status) return { kind: "running", status };
  const desired = environment.pipelines[name];
  return desired ? { kind: "missing", release: desired.release } : { kind: "none" };
}

/** What the column to the left runs that this one does not: it waits at the gate between them. */
export function atGate(
  left: DesiredEnvironment | undefined,
  right: DesiredEnvironment,
): { name: string; release: string }[] {
  if (!left) return [];
  return Object.entries(left.pipelines).flatMap(([name, { release }]) =>
    right.pipelines[name]?.release === release ? [] : [{ name, release }],
  );
}
