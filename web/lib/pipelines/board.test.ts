import { expect, test } from "vitest";
import type { PipelineStatus } from "#promote/sync/sync.ts";
import { atGate, board, whereabouts } from "./board.ts";

const environment = (name: string, pipelines: Record<string, string>) => ({
  name,
  kind: "embedded",
  approvals: 0,
  pipelines: Object.fromEntries(
    Object.entries(pipelines).map(([key, release]) => [
      key,
      { release, topic: "flights", sinks: ["table"] },
    ]),
  ),
});
const running = (environment: string, name: string) => ({ environment, name }) as PipelineStatus;

test("a pipeline has a place in every environment: running, missing or none", () => {
  const { rows } = board(
    [
      environment("staging", { delays: "b", routes: "c" }),
      environment("production", { delays: "a" }),
    ],
    [running("staging", "delays")],
  );
  expect(rows.map(({ name, places }) => [name, ...places.map(({ kind }) => kind)])).toEqual([
    ["delays", "running", "missing"],
    ["routes", "missing", "none"],
  ]);
});

test("an environment that only runs, and is not declared, is shown too", () => {
  expect(board([], [running("old", "delays")]).environments.map(({ name }) => name)).toEqual([
    "old",
  ]);
});

test("what staging runs and production does not waits at the gate", () => {
  const staging = environment("staging", { delays: "b", routes: "c" });
  expect(atGate(staging, environment("production", { delays: "a", routes: "c" }))).toEqual([
    { name: "delays", release: "b" },
  ]);
  expect(atGate(undefined, staging)).toEqual([]);
});

test("an environment says where it runs: in a line, and in full", () => {
  expect(whereabouts(environment("staging", {})).short).toBe("embedded");
  const where = whereabouts({
    ...environment("staging", {}),
    kind: "servers",
    kafka: { brokers: ["a:9092", "b:9092"] },
    cassandra: { contactPoints: ["c:9042"], keyspace: "flights" },
  });
  expect(where.short).toBe("servers, Kafka a:9092 and 1 more");
  expect(where.whole).toEqual(["Kafka a:9092, b:9092", "Cassandra c:9042, keyspace flights"]);
});
