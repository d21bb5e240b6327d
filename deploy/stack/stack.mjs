// Real servers on loopback: what the command line, the tests and the benchmarks call. See docs/stack.md.
import { setTimeout as delay } from "node:timers/promises";
import { cassandra } from "./cassandra.mjs";
import { elasticsearch } from "./elasticsearch.mjs";
import { kafka } from "./kafka.mjs";
import { withLock } from "./lock.mjs";
import { StackProblem } from "./problem.mjs";
import { prometheus } from "./prometheus.mjs";
import { readiness } from "./ready.mjs";
import { addressVariables, addressesOf, updateRecord } from "./record.mjs";
import { registry } from "./registry.mjs";
import { readSettings, serverNames } from "./settings.mjs";
import { chooseWays, whyNoServers } from "./way.mjs";

const byName = { cassandra, kafka, elasticsearch, registry, prometheus };
const bootTimeoutMs = 180_000;
const givenTimeoutMs = 10_000;
const silent = () => undefined;

/**
 * Brings up the named servers (all by default) and waits until each answers. What runs already is left as it is.
 * Prometheus is left out with a line to `log` where it cannot be had, unless it was named.
 */
export function startStack(names = serverNames, { log = silent } = {}) {
  const servers = serversOf(names);
  const isOptional = (server) => names === serverNames && server.name === "prometheus";
  return locked(async (settings, wayOf) => {
    const outcomes = await Promise.allSettled(
      servers.map((server) => bringUp(settings, wayOf(server), server, log)),
    );
    const started = [];
    const problems = [];
    for (const [index, { status, value, reason }] of outcomes.entries()) {
      const server = servers[index];
      if (status === "fulfilled" && value.isNew) started.push(server.name);
      if (status === "fulfilled") continue;
      if (!(reason instanceof StackProblem)) throw reason;
      if (isOptional(server)) log(`Without Prometheus: ${reason.message}`);
      else problems.push(reason.message);
    }
    if (problems.length > 0) throw new StackProblem(problems.join("\n"), started);
    return { started, addresses: addressesOf(settings) };
  });
}

/** Starts one server and waits until it answers. */
export async function startServer(name) {
  await startStack([name]);
}

/** Ends servers this stack started, in order, as a shutdown would. */
export function stopStack(names = serverNames, { log = silent } = {}) {
  return stopThen(names, log, () => undefined);
}

/** Stops, and deletes data, settings and logs. Downloaded programs stay. */
export function resetStack(names = serverNames, { log = silent } = {}) {
  return stopThen(names, log, (way, server) => way.remove(server));
}

/** Ends a server with SIGKILL, and returns once it is gone. */
export function killServer(name) {
  return act(name, (way, server) => way.kill(server));
}

/** Stops a server in its tracks (SIGSTOP): connections stay open, nothing answers. */
export function freezeServer(name) {
  return act(name, (way, server) => way.freeze(server));
}

/** Lets a frozen server go on. */
export function thawServer(name) {
  return act(name, (way, server) => way.thaw(server));
}

/** Addresses of the servers that are given in the environment or were started. */
export function addresses() {
  return addressesOf(readSettings());
}

/** The addresses as the environment variables in which tests expect them. */
export function stackEnvironment() {
  return addressVariables(addresses());
}

/** Why this machine cannot have the servers, in one line; undefined when it can. */
export function whyNoStack(names = serverNames) {
  return whyNoServers(readSettings(), serversOf(names));
}

/** Each server as `{ name, state, way, address, version, memoryBytes, pid }`. */
export function stackStatus(names = serverNames) {
  const settings = readSettings();
  const wayOf = chooseWays(settings);
  return Promise.all(
    serversOf(names).map(async (server) => {
      const way = wayOf(server);
      const { address } = describe(settings, server);
      const { state, pid, memoryBytes } = await way.look(server);
      const row = { name: server.name, way: way.kind, address, pid, memoryBytes };
      if (state !== "running") return { ...row, state };
      try {
        const version = (await readiness[server.name](address)) ?? ownVersion(way, server);
        return { ...row, version, state: "ready" };
      } catch (error) {
        return { ...row, state: `no answer (${error.code ?? error.message})` };
      }
    }),
  );
}

async function bringUp(settings, way, server, log) {
  const startedAt = Date.now();
  const { state } = await way.look(server);
  if (state === "frozen") await way.thaw(server);
  if (state === "stopped") await way.start(server, log);
  const launchedAt = Date.now();
  // It listens where the settings say if it was started now, and where the record says if it ran already.
  const description = describe(settings, server, { isNew: state === "stopped" });
  const answered = await waitUntilReady(way, server, description.address);
  if (way.kind !== "given") {
    const { pid } = await way.look(server);
    const version = answered ?? ownVersion(way, server);
    const entry = { state: "started", ...description, version, pid, way: way.kind };
    updateRecord(settings, way.kind, { [server.name]: entry });
  }
  const isNew = state === "stopped";
  const seconds = (since) => ((Date.now() - since) / 1000).toFixed(1);
  log(
    isNew
      ? `${server.title} is ready at ${description.address}, ${seconds(launchedAt)} s after its launch (${seconds(startedAt)} s in all)`
      : `${server.title} is there already, at ${description.address}`,
  );
  return { isNew };
}

async function waitUntilReady(way, server, address) {
  const until = Date.now() + (way.kind === "given" ? givenTimeoutMs : bootTimeoutMs);
  for (;;) {
    try {
      const version = await readiness[server.name](address);
      // Ours may have died while another took the port: that one's answer is not ours.
      await requireAlive(way, server);
      return version;
    } catch (error) {
      if (error instanceof StackProblem) throw error;
      await requireAlive(way, server);
      if (Date.now() > until) {
        const reason = error.code ?? error.message;
        throw new StackProblem(
          `${server.title} at ${address} does not answer (${reason}). ${await way.lastWords(server)}`,
        );
      }
      await delay(100);
    }
  }
}

async function requireAlive(way, server) {
  const { state } = await way.look(server);
  if (state !== "stopped") return;
  throw new StackProblem(`${server.title} ended while it started. ${await way.lastWords(server)}`);
}

function stopThen(names, log, also) {
  const servers = serversOf(names);
  return locked(async (settings, wayOf) => {
    await Promise.all(
      servers.map(async (server) => {
        const way = wayOf(server);
        const { state } = await way.look(server);
        await way.stop(server);
        await also(way, server);
        if (way.kind === "given") return;
        const recorded = settings.record.servers[server.name];
        const entry = recorded && { ...recorded, state: "stopped", pid: undefined };
        updateRecord(settings, way.kind, { [server.name]: entry });
        if (state !== "stopped") log(`${server.title} is stopped`);
      }),
    );
  });
}

/** Without the lock: a fault may strike while something starts. */
async function act(name, action) {
  const [server] = serversOf([name]);
  await action(chooseWays(readSettings())(server), server);
}

/** Settings are read inside the lock: the record may have changed while we waited for it. */
function locked(action) {
  return withLock(readSettings().home, async () => {
    const settings = readSettings();
    return action(settings, chooseWays(settings));
  });
}

function serversOf(names) {
  const unknown = names.filter((name) => !Object.hasOwn(byName, name));
  if (unknown.length > 0) {
    throw new StackProblem(
      `no server is called ${unknown.join(", ")}. There are: ${serverNames.join(", ")}.`,
    );
  }
  return serverNames.filter((name) => names.includes(name)).map((name) => byName[name]);
}

function describe(settings, server, { isNew = false } = {}) {
  const given = settings.given[server.name];
  if (given) return { address: given };
  const recorded = settings.record.servers[server.name];
  if (isNew || recorded?.state !== "started") return server.addresses(settings);
  const { address, sasl, tls, ca, proxied } = recorded;
  return { address, sasl, tls, ca, proxied };
}

/** A server whose protocol does not tell its version has the one we started, if we started it. */
function ownVersion(way, server) {
  return way.kind === "given" ? undefined : server.version;
}
