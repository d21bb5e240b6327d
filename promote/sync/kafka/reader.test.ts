import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { kafkaSchema } from "../connections.ts";
import { until } from "../fixture.ts";
import { openFrozenServer } from "../frozen-server.ts";
import type { Patience } from "../ports.ts";
import { openKafkaReader } from "./reader.ts";

const at = (port: number, patience: Patience) =>
  unwrap(
    openKafkaReader(
      kafkaSchema.parse({ brokers: [`127.0.0.1:${port}`] }),
      { root: ".", variables: {} },
      patience,
    ),
  );

test("a reader whose patience ends says what it waited for", async () => {
  const frozen = await openFrozenServer();
  const away = await openFrozenServer();
  away.close();
  const cases = [
    { port: away.port, said: /asking how far topic t reaches failed: .*ECONNREFUSED/ },
    { port: frozen.port, said: /asking how far topic t reaches failed: no broker answers/ },
  ];
  for (const { port, said } of cases) {
    const reader = at(port, { ms: 1500 });
    const problem = { code: "kafka-unavailable", message: expect.stringMatching(said) as string };
    await expect(reader.ranges("t")).rejects.toMatchObject({ problem });
    await reader.close();
  }
  frozen.close();
});

test("a reader stops waiting for a broker that never answers as soon as its signal is aborted", async () => {
  const frozen = await openFrozenServer();
  const waiting = new AbortController();
  const reader = at(frozen.port, { signal: waiting.signal });
  const asked = reader.incarnation("t").catch((cause: unknown) => cause);
  await until("it is asked", () => frozen.connections() > 0);
  waiting.abort();
  expect(await asked).toMatchObject({ problem: { code: "stopped" } });
  await reader.close();
  frozen.close();
});
