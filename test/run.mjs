// `npm test [-- NAME…]`: installs what the tests need and runs every check, in the order a mistake is cheapest to find.
// With names (e.g. `npm test -- lint unit`) only those steps.
import { spawnSync } from "node:child_process";
import {
  build,
  install,
  node,
  projectEnvironment,
  requireSupportedNode,
  root,
  stop,
} from "../cli/prepare.mjs";
import { findChromium, installChromium } from "./chromium.mjs";
import { runWithServers } from "./stack.mjs";

const steps = [
  { name: "generate", command: ["svelte-kit", "sync"] },
  { name: "format", command: ["oxfmt", "--check", "."] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "lint-svelte", command: ["eslint", "web", "--max-warnings", "0"] },
  { name: "types", command: ["tsc", "--project", "tsconfig.json"] },
  {
    name: "types-svelte",
    command: ["svelte-check", "--tsgo", "--tsconfig", "tsconfig.web.json", "--fail-on-warnings"],
  },
  { name: "unused", command: ["knip"] },
  { name: "unit", command: ["vitest", "run", "--project", "unit"] },
  { name: "build", run: () => (build(), true) },
  { name: "integration", command: ["vitest", "run", "--project", "integration"] },
  {
    name: "servers",
    run: () =>
      runWithServers((variables) => runs(["vitest", "run", "--project", "servers"], variables)),
  },
  { name: "browser", command: ["playwright", "test"], needsChromium: true },
];

requireSupportedNode();
install();

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  stop(
    `no step ${unknown.join(", ")}. The steps are: ${steps.map((step) => step.name).join(", ")}.`,
  );
}
const chosen = asked.length > 0 ? steps.filter((step) => asked.includes(step.name)) : steps;

const environment = projectEnvironment();
if (chosen.some((step) => step.needsChromium)) {
  environment.PENSTOCK_CHROMIUM = findChromium() ?? installChromium();
}

const failed = [];
for (const step of chosen) {
  console.log(`\n── ${step.name}`);
  const startedAt = Date.now();
  const passed = step.run ? await step.run() : runs(step.command);
  console.log(
    `── ${step.name}: ${passed ? "passed" : "FAILED"} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`,
  );
  if (!passed) failed.push(step.name);
}

console.log(failed.length > 0 ? `\nFailed: ${failed.join(", ")}` : "\nEvery check passed.");
console.log(`${chosen.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 ? 1 : 0);

function runs([program, ...arguments_], variables = {}) {
  const ran = spawnSync(program, arguments_, {
    cwd: root,
    env: { ...environment, ...variables },
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
  });
  if (ran.error)
    console.error(`${program}: ${ran.error.message}. Expected it with Node at ${node}.`);
  return ran.status === 0;
}
