import * as workerThreads from "node:worker_threads";

const { Worker } = workerThreads;

/**
 * The import map takes every `node:` module away but this one, which Deno's snapshot holds under its very name: a static import
 * in a `data:` module still reaches it. A worker would bring a fresh `Deno` global and a clock, so its constructor is cut from
 * the class it must call first. Must run before user code does.
 */
export function cutNodeWorker(): void {
  Object.setPrototypeOf(Worker, refuse);
  Object.freeze(Worker);
}

/** What else the module hands out: to be frozen like all that cells and records share. */
export function nodeWorkerExports(): unknown[] {
  return Object.values(workerThreads);
}

// A function, not an arrow: it is called as a constructor.
function refuse(): never {
  throw new TypeError(
    "Worker: a notebook has no threads of its own. Transforms run side by side already.",
  );
}
