// How this machine can bring up servers: addresses it was given, then containers, then plain processes.
import { composeWay, findEngine } from "./compose.mjs";
import { givenWay } from "./given.mjs";
import { processesWay } from "./processes.mjs";
import { StackProblem } from "./problem.mjs";
import { findTools, missingTools } from "./tools.mjs";

const wantsEither =
  "The servers need a container engine (podman or docker, with compose), or Java and Maven";

/**
 * Chooses once for all servers that are not given. Returns `(server) => way`.
 * Running servers of one way are never looked for with the other: the record says which way started them.
 */
export function chooseWays(settings) {
  let own;
  return (server) => {
    const address = settings.given[server.name];
    if (address) return givenWay(address);
    own ??= ownWay(settings);
    return own;
  };
}

function ownWay(settings) {
  const way = settings.record.way ?? settings.way;
  if (way !== "processes") {
    const engine = findEngine();
    if (engine) return composeWay(settings, engine);
    if (way === "compose") {
      throw new StackProblem(
        "no container engine answers `podman info` or `docker info`, or it lacks compose. Start one, or set PENSTOCK_STACK_WAY=processes.",
      );
    }
  }
  return processesWay(settings, () => findTools(settings.environment));
}

/** Why servers cannot be had on this machine, in one line; undefined when they can. */
export function whyNoServers(settings, servers) {
  const wanted = servers.filter((server) => !settings.given[server.name]);
  if (wanted.length === 0) return undefined;
  if (settings.way !== "processes" && findEngine()) return undefined;
  const missing = missingTools(findTools(settings.environment));
  if (missing.length === 0) return undefined;
  return `${wantsEither}; here there is no engine that answers, and ${missing.join(", ")} is missing.`;
}
