// What the environment says about the stack: its folder, its ports, and the servers that are there already.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { StackProblem } from "./problem.mjs";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** First port of each server, and how many it takes from there on. */
const portsOf = {
  cassandra: { first: 19042, count: 2 },
  kafka: { first: 19092, count: 6 },
  elasticsearch: { first: 19200, count: 2 },
  registry: { first: 18081, count: 2 },
  prometheus: { first: 19090, count: 1 },
};

/** Slowest first: this is the order in which they are fetched and started. */
export const serverNames = Object.keys(portsOf);

/**
 * Reads the settings once per action.
 * `given` holds addresses named in the environment that are not this stack's own.
 */
export function readSettings(environment = process.env) {
  const home = resolve(root, environment.PENSTOCK_STACK_HOME || ".stack");
  const record = readRecord(home);
  const ports = {};
  const given = {};
  for (const name of serverNames) {
    const variable = `PENSTOCK_STACK_${name.toUpperCase()}`;
    ports[name] = portRange(environment, `${variable}_PORT`, portsOf[name]);
    const address = environment[variable];
    // The test run hands our own addresses on in the same variables: those are still ours to kill and start.
    if (address && address !== record.servers[name]?.address) given[name] = address;
  }
  const way = environment.PENSTOCK_STACK_WAY || undefined;
  if (way && way !== "compose" && way !== "processes") {
    throw new StackProblem(`PENSTOCK_STACK_WAY is "${way}". Set it to compose or processes.`);
  }
  return { home, programs: join(home, "programs"), ports, given, way, record, environment };
}

function portRange(environment, variable, { first, count }) {
  const text = environment[variable];
  const start = text ? Number(text) : first;
  if (!Number.isInteger(start) || start < 1 || start + count > 65_536) {
    throw new StackProblem(
      `${variable} is "${text}". Set it to a port number below ${65_536 - count}.`,
    );
  }
  return Array.from({ length: count }, (_, index) => start + index);
}

/** What earlier starts wrote to `addresses.json`. */
function readRecord(home) {
  const path = join(home, "addresses.json");
  if (!existsSync(path)) return { servers: {} };
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new StackProblem(
      `${path} is not JSON. Run \`npm run stack -- stop\` after deleting the file.`,
    );
  }
}
