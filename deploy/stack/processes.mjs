// The way without containers: each server is a process of its own that outlives the one that started it.
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lastLines } from "./execute.mjs";
import { describeProcess } from "./process-table.mjs";
import { StackProblem } from "./problem.mjs";
import { missingTools } from "./tools.mjs";

const stopTimeoutMs = 30_000;
const portsTimeoutMs = 5000;
let fetching = Promise.resolve();

/** The servers as processes, over what `findTools()` finds (see tools.mjs), asked for once, when something is to be started. */
export function processesWay(settings, findTools) {
  let tools;
  const folderOf = (server) => join(settings.home, server.name);
  const pidFile = (server) => join(folderOf(server), "pid");
  const logFile = (server) => join(folderOf(server), "log");

  /** The process we started for this server, if it lives: a process id alone may be another's by now. */
  function find(server) {
    if (!existsSync(pidFile(server))) return undefined;
    const pid = Number(readFileSync(pidFile(server), "utf8"));
    const found = describeProcess(pid);
    return found?.command.includes(mark(settings, server)) ? { pid, ...found } : undefined;
  }

  function signal(server, name) {
    const found = find(server);
    if (!found) throw new StackProblem(`${server.title} is not running.`);
    process.kill(found.pid, name);
    return found.pid;
  }

  function signalOnPosix(server, name) {
    if (process.platform === "win32") {
      throw new StackProblem("Windows cannot freeze a process. Use the compose way for this.");
    }
    signal(server, name);
  }

  async function gone(server, timeoutMs) {
    const until = Date.now() + timeoutMs;
    while (find(server)) {
      if (Date.now() > until) return false;
      await delay(20);
    }
    rmSync(pidFile(server), { force: true });
    // Its last threads hold the ports a moment longer than it is to be seen.
    const freeBy = Date.now() + portsTimeoutMs;
    while (Date.now() < freeBy && (await takenPort(settings, server)) !== undefined)
      await delay(20);
    return true;
  }

  return {
    kind: "processes",
    look(server) {
      const found = find(server);
      if (!found) return { state: "stopped" };
      const { pid, memoryBytes } = found;
      return { state: found.isFrozen ? "frozen" : "running", pid, memoryBytes };
    },

    /** Fetches what the server needs, then spawns it. It is not ready yet when this resolves. */
    async start(server, log) {
      tools ??= findTools();
      const missing = missingTools(tools, server.needs);
      if (missing.length > 0) {
        throw new StackProblem(
          `${server.title} needs ${missing.join(" and ")}. Install that, or name a running one in ${variableOf(server)}.`,
        );
      }
      const programs = await fetchPrograms(settings, tools, server, log);
      await requireFreePorts(settings, server);
      const folder = folderOf(server);
      mkdirSync(folder, { recursive: true });
      const place = { folder, programs };
      await server.prepare(settings, tools, place);
      const { program, arguments: arguments_ } = server.command(settings, tools, place);
      const log_ = openSync(logFile(server), "a");
      const child = spawn(program, [...markArguments(settings, server), ...arguments_], {
        cwd: folder,
        detached: true,
        stdio: ["ignore", log_, log_],
        windowsHide: true,
      });
      closeSync(log_);
      const failed = new Promise((_, reject) => child.once("error", reject));
      const spawned = new Promise((resolve) => child.once("spawn", resolve));
      await Promise.race([spawned, failed]);
      writeFileSync(pidFile(server), String(child.pid));
      child.unref();
    },

    async stop(server) {
      const found = find(server);
      if (!found) return;
      if (found.isFrozen) signal(server, "SIGCONT");
      signal(server, "SIGTERM");
      if (await gone(server, stopTimeoutMs)) return;
      signal(server, "SIGKILL");
      await gone(server, stopTimeoutMs);
    },

    async kill(server) {
      signal(server, "SIGKILL");
      await gone(server, stopTimeoutMs);
    },

    freeze: (server) => signalOnPosix(server, "SIGSTOP"),
    thaw: (server) => signalOnPosix(server, "SIGCONT"),

    remove: (server) => rmSync(folderOf(server), { recursive: true, force: true }),

    lastWords(server) {
      const log = existsSync(logFile(server)) ? readFileSync(logFile(server), "utf8") : "";
      return `The end of ${logFile(server)}:\n${lastLines(log, 12)}`;
    },
  };
}

function variableOf(server) {
  return `PENSTOCK_STACK_${server.name.toUpperCase()}`;
}

/** Text that stands in the command line of this server of this stack, and of no other process. */
function mark(settings, server) {
  return server.mark?.(settings) ?? `-Dpenstock.stack=${join(settings.home, server.name)}`;
}

function markArguments(settings, server) {
  return server.mark ? [] : [mark(settings, server)];
}

/** The folder of the server's program, complete. One download at a time: Maven's repository is not made for two writers. */
function fetchPrograms(settings, tools, server, log) {
  const folder = join(settings.programs, server.programFolder());
  if (existsSync(folder)) return folder;
  const fetched = fetching.then(async () => {
    log(`Fetching ${server.title} ${server.version ?? ""}`.trim() + "…");
    const part = `${folder}.part`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part, { recursive: true });
    await server.install(settings, tools, part);
    renameSync(part, folder);
    return folder;
  });
  fetching = fetched.then(
    () => undefined,
    () => undefined,
  );
  return fetched;
}

async function requireFreePorts(settings, server) {
  const port = await takenPort(settings, server);
  if (port === undefined) return;
  const { length } = settings.ports[server.name];
  throw new StackProblem(
    `Port ${port}, which ${server.title} needs, is taken. Stop what holds it, or set ${variableOf(server)}_PORT to ${length === 1 ? "a free port" : `the first of ${length} free ports in a row`}.`,
  );
}

async function takenPort(settings, server) {
  for (const port of settings.ports[server.name]) if (!(await isFree(port))) return port;
  return undefined;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
