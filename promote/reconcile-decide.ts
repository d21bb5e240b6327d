import type { Problem } from "#snapshots/problem.ts";

/** A pipeline as Git asks for it, and whether its release may run there. */
export type Wanted = {
  environment: string;
  name: string;
  release: string;
  /** Those it reads, as a text. */
  topic: string;
  /** Why it may not run: files tampered with, approvals missing, a lookup gone. */
  refusal?: Problem;
};

export type Running = { environment: string; name: string; release: string; topic: string };

export type Action =
  | { kind: "start" | "keep"; environment: string; name: string; release: string }
  | { kind: "swap"; environment: string; name: string; from: string; release: string }
  | { kind: "stop"; environment: string; name: string; release: string }
  | {
      kind: "refuse";
      environment: string;
      name: string;
      release: string;
      problem: Problem;
      /** What goes on running meanwhile: a stream is not stopped because its next release is bad. */
      stillRunning: string | null;
    };

/** What to do so that what runs becomes what is wanted. Pure; the order is stops, then the rest by name. */
export function decide(wanted: Wanted[], running: Running[]): Action[] {
  const runningByKey = new Map(running.map((pipeline) => [key(pipeline), pipeline]));
  const wantedKeys = new Set(wanted.map(key));
  const stops = running
    .filter((pipeline) => !wantedKeys.has(key(pipeline)))
    .map(({ environment, name, release }): Action => ({
      kind: "stop",
      environment,
      name,
      release,
    }));
  const rest = wanted.map((pipeline) => decideOne(pipeline, runningByKey.get(key(pipeline))));
  return [...stops, ...rest].toSorted((a, b) =>
    (a.kind === "stop") === (b.kind === "stop")
      ? compareText(key(a), key(b))
      : a.kind === "stop"
        ? -1
        : 1,
  );
}

function decideOne(wanted: Wanted, running: Running | undefined): Action {
  const { environment, name, release, topic, refusal } = wanted;
  if (refusal) {
    const stillRunning = running?.release ?? null;
    return { kind: "refuse", environment, name, release, problem: refusal, stillRunning };
  }
  if (!running) return { kind: "start", environment, name, release };
  if (running.release === release && running.topic === topic) {
    return { kind: "keep", environment, name, release };
  }
  return { kind: "swap", environment, name, from: running.release, release };
}

function key({ environment, name }: { environment: string; name: string }): string {
  return `${environment}\0${name}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
