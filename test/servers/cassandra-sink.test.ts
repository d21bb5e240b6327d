import { afterAll, beforeAll, describe } from "vitest";
import { sinkConformance } from "#promote/sync/conformance/sink-conformance.ts";
import { scratchKeyspace, scratchTable, type ScratchKeyspace } from "./cassandra-scratch.ts";

describe("a Cassandra table as a Sink", () => {
  let scratch: ScratchKeyspace;
  beforeAll(async () => {
    scratch = await scratchKeyspace();
  });
  afterAll(() => scratch.remove());

  sinkConformance(async () => {
    const table = scratchTable();
    return {
      open: () => scratch.open({ table }),
      close: async () => {},
      silentOn: ["stale", "retracted", "tombstones"],
    };
  });
});
