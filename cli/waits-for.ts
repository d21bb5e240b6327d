import { read, type Connection } from "./connect.ts";

/** Why what was asked of a pipeline is not done yet. */
export type WaitsFor = "a worker" | "a resume";

export const waitingText: Record<WaitsFor, string> = {
  "a worker":
    "No worker runs the pipeline now: it waits until one does (penstock open, or penstock sync).",
  "a resume": "The pipeline is paused or halted: it waits until somebody resumes it.",
};

/** Null: somebody is at it. */
export async function waitsFor(
  { api }: Connection,
  { env, name }: { env: string; name: string },
): Promise<WaitsFor | null> {
  const { pipelines } = await read(api.pipelines.$get());
  const found = pipelines.find((one) => one.environment === env && one.name === name);
  if (found === undefined || found.state === "stopped") return "a worker";
  return found.state === "paused" || found.state === "halted" ? "a resume" : null;
}

/** What was asked for, and whether it is being done: `4 records will be written again`. */
export function askedFor(what: string, willBe: string, waiting: WaitsFor | null): string {
  return waiting === null
    ? `${what} will be ${willBe}.`
    : `Asked for: ${what} to be ${willBe}. ${waitingText[waiting]}`;
}
