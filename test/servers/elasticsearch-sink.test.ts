import { describe } from "vitest";
import { sinkConformance } from "#promote/sync/conformance/sink-conformance.ts";
import { scratchIndex } from "./elasticsearch-scratch.ts";

describe("an Elasticsearch index as a Sink", () => {
  sinkConformance(async () => {
    const scratch = await scratchIndex();
    return {
      open: () => scratch.open(),
      close: () => scratch.remove(),
      silentOn: ["retracted"],
    };
  });
});
