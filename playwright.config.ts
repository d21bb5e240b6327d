import { defineConfig } from "@playwright/test";

const executablePath = process.env["PENSTOCK_CHROMIUM"] ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "test/browser",
  outputDir: "test-results",
  // Several times what a busy machine takes: what is awaited comes in seconds on an idle one.
  timeout: 600_000,
  expect: { timeout: 120_000 },
  workers: 1,
  reporter: "list",
  // Each story has a workspace of its own, which lives as long as its worker: projects never share one.
  projects: [
    { name: "walk", testMatch: "walk.spec.ts" },
    { name: "production", testMatch: "production.spec.ts" },
  ],
  use: {
    headless: true,
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
