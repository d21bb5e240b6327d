import { defineConfig } from "vitest/config";

// Real DuckDB workers and Deno guests are processes: on a small machine a few files at a time are quickest.
export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: { TZ: "UTC" },
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
          exclude: ["test/browser/**"],
          testTimeout: 600_000,
        },
      },
    ],
  },
});
