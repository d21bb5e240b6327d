import { defineConfig } from "vitest/config";
import { StillRunning } from "./test/still-running.ts";

// Real DuckDB workers and Deno guests are processes: on a small machine a few files at a time are quickest.
export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // What is waited for comes in milliseconds, but on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    env: { TZ: "UTC" },
    reporters: ["default", new StillRunning()],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{snapshots,kernel,promote,web,cli,bench}/**/*.test.ts"],
          exclude: ["**/node_modules/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: ["test/browser/**", "test/servers/**"],
          testTimeout: 600_000,
        },
      },
      // Real servers, one of each for all files: one file at a time. `npm run stack -- start` brings them up. They are programs of others
      // with clocks of their own: a test that one of them held up is tried once more, and the report says so. Not those of faults
      // (`retry: 0`): a race that loses a row in one run of two is what they are to find.
      {
        extends: true,
        test: {
          name: "servers",
          include: ["test/servers/**/*.test.ts"],
          fileParallelism: false,
          retry: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
