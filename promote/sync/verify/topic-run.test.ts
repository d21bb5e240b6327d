import { expect, test } from "vitest";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { fail, ok } from "#snapshots/problem.ts";
import { collect, firstEpoch, UNRUN_RELEASE } from "../fixture.ts";
import type { SourceRecord } from "../ports.ts";
import { expectNothing, openRuntimes } from "../pipeline/runtimes.ts";
import { openSpecDecoder } from "../pipeline/spec-decoder.ts";
import { runTopic } from "./topic-run.ts";

const stretch = { topic: "flights", incarnation: "i", partition: 0 };

test("where a record may become many rows, a topic is looked back on in smaller batches", async () => {
  const records = Array.from({ length: 600 }, (_, offset): SourceRecord => ({
    offset,
    timestampMs: 0,
    key: null,
    value: Buffer.from("{}"),
    headers: [],
  }));
  const runtimes = openRuntimes(
    {
      readRelease: () => fail({ code: "unknown-release", message: "there is one release here" }),
      widestParts: () => 1,
      openDecoder: (spec) => openSpecDecoder({ ...spec, stream: PLAIN_STREAM }, undefined),
      openGuest: () => ({
        run: async () => ok([]),
        restarts: () => 0,
        close: async () => undefined,
      }),
      openExpectations: expectNothing,
    },
    () => ({ ...UNRUN_RELEASE, maxParts: 1024 }),
  );
  const batches = await collect(
    runTopic(
      {
        reader: {
          async *read() {
            yield records;
          },
        },
        runtimes,
        epochs: [firstEpoch(stretch)],
        rewrites: [],
        signal: new AbortController().signal,
      },
      { ...stretch, from: 0, to: records.length },
    ),
  );
  expect(batches.map((batch) => batch.records.length)).toEqual([256, 256, 88]);
  expect(batches.flatMap((batch) => batch.records)).toEqual(records);
});
