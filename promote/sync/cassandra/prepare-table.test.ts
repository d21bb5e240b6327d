import { errors, types, type Client } from "cassandra-driver";
import { expect, test } from "vitest";
import { cassandraSchema } from "../connections.ts";
import { prepareTable, type TableRequest } from "./prepare-table.ts";

const { invalid, unauthorized } = types.responseErrorCodes;

/** A prepare against a Cassandra that answers each statement with an error, by how long was paused before. */
async function prepareAgainst(answer: (pausedMs: number) => Error) {
  let pausedMs = 0;
  const client = { execute: () => Promise.reject(answer(pausedMs)) };
  const id = { name: "id", type: "BIGINT", nullable: false };
  const request: TableRequest = {
    // Nothing else of a client is used before the first answer.
    client: client as unknown as Client,
    connection: cassandraSchema.parse({
      contactPoints: ["127.0.0.1:1"],
      localDataCenter: "datacenter1",
      keyspace: "k",
    }),
    place: { keyspace: "k", table: "delays" },
    settings: { owner: "a:b", dataCenter: "datacenter1", replicas: 1, gcGraceSeconds: undefined },
    contract: { key: [id], columns: [id], maxParts: 1 },
    expiresAt: undefined,
  };
  const prepared = await prepareTable(request, async (ms) => void (pausedMs += ms));
  return { problem: prepared.ok ? undefined : prepared.problem, pausedMs };
}

test("a table that another worker is just making is waited for: it stands in the schema before it can be asked", async () => {
  const { problem } = await prepareAgainst((pausedMs) =>
    pausedMs < 3000
      ? new errors.ResponseError(invalid, "table penstock_fields does not exist")
      : new errors.ResponseError(unauthorized, "it is there, and not for you"),
  );
  expect(problem?.message).toContain("it is there, and not for you");
});

test("a right that is missing is not waited for", async () => {
  const { problem, pausedMs } = await prepareAgainst(
    () => new errors.ResponseError(unauthorized, "not for you"),
  );
  expect(problem).toMatchObject({ code: "sink-not-prepared" });
  expect(pausedMs).toBe(0);
});

test.each([
  ["times out", new errors.OperationTimedOutError("12 s")],
  ["is away", new errors.NoHostAvailableError({})],
])("a Cassandra that %s is the caller's to wait for, who can be stopped", async (_, silence) => {
  const { problem, pausedMs } = await prepareAgainst(() => silence);
  expect(problem).toMatchObject({ code: "sink-unreachable" });
  expect(pausedMs).toBe(0);
});
