// The way of a server that is there already: it is asked whether it answers, and otherwise left alone.
import { StackProblem } from "./problem.mjs";

/** A server whose address the environment names. */
export function givenWay(address) {
  const refuse = (server) => {
    throw new StackProblem(
      `${server.title} at ${address} was not started here, so it is not ours to stop. Unset PENSTOCK_STACK_${server.name.toUpperCase()} to use one of our own.`,
    );
  };
  return {
    kind: "given",
    look: () => ({ state: "running" }),
    start: () => undefined,
    stop: () => undefined,
    remove: () => undefined,
    kill: refuse,
    freeze: refuse,
    thaw: refuse,
    lastWords: () => `Start it, or unset the variable that names ${address}.`,
  };
}
