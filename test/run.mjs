// `npm test [-- NAME…]`: installs what the tests need and runs every check, in the order a mistake is cheapest to find.
// With names (e.g. `npm test -- lint unit`) only those steps.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
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

/** No step takes this long: one that does has come to a stop, and would take the others' time too. */
const LIMIT_MINUTES = 40;

const steps = [
  { name: "generate", command: ["svelte-kit", "sync"] },
  { name: "format", command: ["oxfmt", "--check", "."] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "lint-svelte", command: ["eslint", "web", "--max-warnings", "0"] },
  { name: "types", command: ["tsc", "--project", "tsconfig.json"] },
  {
    name: "types-svelte",
    run() {
      // It goes on checking pages that are no more, by what it made of them.
      rmSync(join(root, ".svelte-kit/.svelte-check"), { recursive: true, force: true });
      return runs([
        "svelte-check",
        "--tsgo",
        "--tsconfig",
        "tsconfig.web.json",
        "--fail-on-warnings",
      ]);
    },
  },
  { name: "unused", command: ["knip"] },
  { name: "unit", command: ["vitest", "run", "--project", "unit"] },
  { name: "build", run: () => (build(), true) },
  { name: "integration", command: ["vitest", "run", "--project", "integration"] },
  {
    name: "servers",
    needsChromium: true,
    run() {
      build();
      return runWithServers((variables) =>
        runs(["vitest", "run", "--project", "servers"], variables),
      );
    },
  },
  {
    name: "browser",
    needsChromium: true,
    run() {
      // Asked for by name, nothing may be built yet; built already, this takes no time.
      build();
      return runs(["playwright", "test"]);
    },
  },
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
let isStopped = false;
for (const step of chosen) {
  console.log(`\n── ${step.name}`);
  const startedAt = Date.now();
  const passed = await (step.run ? step.run() : runs(step.command));
  console.log(
    `── ${step.name}: ${passed ? "passed" : "FAILED"} in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`,
  );
  if (isStopped) process.exit(130);
  if (!passed) failed.push(step.name);
}

console.log(failed.length > 0 ? `\nFailed: ${failed.join(", ")}` : "\nEvery check passed.");
console.log(`${chosen.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 ? 1 : 0);

/** In a process group of its own, so that what it started ends with it. */
async function runs([program, ...arguments_], variables = {}) {
  const isWindows = process.platform === "win32";
  const ran = spawn(program, arguments_, {
    cwd: root,
    env: { ...environment, ...variables },
    stdio: ["ignore", "inherit", "inherit"],
    shell: isWindows,
    detached: !isWindows,
  });
  const end = (signal) => {
    if (isWindows) ran.kill(signal);
    else if (ran.pid !== undefined) process.kill(-ran.pid, signal);
  };
  const stopped = (signal) => {
    isStopped = true;
    end(signal);
  };
  const limit = setTimeout(() => {
    console.error(`${program}: not done after ${LIMIT_MINUTES} minutes, so it was ended.`);
    end("SIGKILL");
  }, LIMIT_MINUTES * 60_000);
  process.on("SIGINT", stopped).on("SIGTERM", stopped);
  try {
    const [code] = await once(ran, "exit");
    return code === 0;
  } catch (error) {
    console.error(`${program}: ${error.message}. Expected it with Node at ${node}.`);
    return false;
  } finally {
    clearTimeout(limit);
    process.off("SIGINT", stopped).off("SIGTERM", stopped);
  }
}
