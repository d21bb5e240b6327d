import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { streamSchema } from "#snapshots/stream-settings.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import { collect, firstEpoch, freshPlace, living, specOf } from "../fixture.ts";
import { openReleaseGuest } from "../guest/guest.ts";
import type { SourceRecord } from "../ports.ts";
import { commitProgress, readProgress } from "../order/progress.ts";
import { claimStretch } from "../order/stretch-offsets.ts";
import { settleBatch } from "../pipeline/settle-batch.ts";
import { openSyncState } from "../state.ts";
import { openExpectations } from "./expectations.ts";
import { listExpectationHistory } from "./history.ts";

const place = freshPlace();
const directory = mkdtempSync(join(tmpdir(), "penstock-validate-"));
afterAll(() => {
  place.remove();
  rmSync(directory, { recursive: true, force: true });
});

test("a record an expectation refuses never reaches the transform: it is a dead letter of stage validate, counted with the offset", async () => {
  const spec = await specOf(place);
  const decoder = unwrap(openJsonDecoder(spec));
  const range = { column: "delay", max: 100 };
  const { expectations } = streamSchema.parse({
    expectations: [{ range, severity: "deadLetter", name: "delays of a day" }],
  });
  const validator = unwrap(openExpectations(expectations, spec.input));
  const records = [5, 500, 7].map((delay, offset): SourceRecord => {
    const value = {
      id: offset,
      date: "2001-04-01",
      delay,
      distance: 1,
      origin: "A",
      destination: "B",
    };
    const bytes = Buffer.from(JSON.stringify(value));
    return { offset, timestampMs: 0, key: null, headers: [], value: bytes };
  });
  const stretch = { topic: "t", incarnation: "i", partition: 0 };
  const judged = validator.judge({
    decoded: decoder.decode(records, 0),
    records,
    stretch,
    nowMs: 0,
  });
  const guest = openReleaseGuest(spec, place);
  const signal = new AbortController().signal;
  const contract = { key: decoder.key, columns: spec.output, maxParts: 1 };
  const table = await openDuckdbSink({ name: "table", path: join(directory, "table.duckdb") });
  expect(await table.prepare(contract)).toBeUndefined();
  const epoch = firstEpoch(stretch, spec.release);
  const all = await settleBatch(
    [table],
    {
      portions: [{ stretch, epoch, records }],
      contract,
      records,
      decoded: judged.decoded,
      chunks: unwrap(await guest.run(judged.decoded, signal)),
      sourceMap: undefined,
    },
    { signal, random: () => 0, observe: () => undefined, at: "" },
  );
  if ("code" in all) throw new Error(all.message);
  const [settled] = all;
  if (settled === undefined) throw new Error("nothing was settled");
  expect(settled.counts).toMatchObject({ read: 3, written: 2, deadLettered: 1 });
  expect(settled.deadLetters).toMatchObject([
    {
      offset: 1,
      stage: "validate",
      reason: 'expectation "delays of a day": column `delay` is 500, above 100',
    },
  ]);
  expect(living(await collect(table.scan())).map((row) => row.offset)).toEqual([0, 2]);

  const state = openSyncState(":memory:");
  const id = { environment: "production", name: "delays" };
  claimStretch(state, id, stretch, "worker", 0);
  const finished = { stretch, next: 3, ...settled, tallies: judged.tallies };
  expect(commitProgress(state, id, [{ finished: finished, owner: "another worker" }])).toEqual([
    false,
  ]);
  expect(commitProgress(state, id, [{ finished: finished, owner: "worker" }])).toEqual([true]);
  expect(readProgress(state, id).counts).toMatchObject({ read: 3, deadLettered: 1 });
  expect(listExpectationHistory(state, id, { nowMs: 0 })).toMatchObject([
    { expectation: "delays of a day", checked: 3, failed: 1 },
  ]);
  await guest.close();
  await table.close();
  state.close();
});
