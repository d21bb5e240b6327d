import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe } from "vitest";
import { sinkConformance } from "../conformance.ts";
import { openDuckdbSink } from "./duckdb-sink.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

describe("a DuckDB file as a Sink", () => {
  sinkConformance(async () => {
    const directory = mkdtempSync(join(tmpdir(), "penstock-sink-"));
    directories.push(directory);
    return { open: () => openDuckdbSink({ name: "table", path: join(directory, "table.duckdb") }), close: async () => {} };
  });
});
