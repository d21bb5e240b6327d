// The real servers for the tests in test/servers/: up before them, down after them if they were down before.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../cli/prepare.mjs";
import { StackProblem } from "../deploy/stack/problem.mjs";
import { stackEnvironment, startStack, stopStack, whyNoStack } from "../deploy/stack/stack.mjs";

/**
 * Runs `run` with the servers' addresses as environment variables, and passes on whether it passed.
 * Where a machine cannot have the servers, the suites are skipped by name; in CI that is a failure.
 */
export async function runWithServers(run) {
  const reason = whyNoStack();
  if (reason) {
    console.log(`${reason} Skipped: ${suites().join(", ")}. See docs/stack.md.`);
    return !process.env.CI;
  }
  const log = (line) => console.log(line);
  let started = [];
  try {
    ({ started } = await startStack(undefined, { log }));
    return await run(stackEnvironment());
  } catch (error) {
    if (!(error instanceof StackProblem)) throw error;
    if (started.length === 0) ({ started } = error);
    console.error(error.message);
    return false;
  } finally {
    if (started.length > 0) await stopStack(started, { log });
  }
}

function suites() {
  return readdirSync(join(root, "test/servers"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/servers/${name}`)
    .toSorted();
}
