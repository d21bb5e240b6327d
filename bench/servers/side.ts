import { fork } from "node:child_process";
import { z } from "zod";
import type { Measured } from "./meter.ts";
import { taskSchema, type Task } from "./task.ts";

/** A process that does one thing over and over, so that it is warm, and has processor time and memory of its own. */
export type Side = { run(task: Task): Promise<Measured>; close(): Promise<void> };

const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const answerSchema = z.union([
  z.object({
    perSecond: number,
    cpuSecondsPer100k: number,
    peakBytes: number,
    p99Ms: number,
    bytesInTenths: z.array(number),
  }),
  z.object({ failed: z.string() }),
]);

export function openSide(file: URL): Side {
  const child = fork(file, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ended = new Promise<never>((_, reject) => {
    child.once("exit", (code) => reject(new Error(`${file.pathname} ended (${code})`)));
  });
  ended.catch(() => undefined);
  return {
    async run(task) {
      const answered = new Promise<unknown>((resolve) => child.once("message", resolve));
      child.send(task);
      const answer = answerSchema.parse(await Promise.race([answered, ended]));
      if ("failed" in answer) throw new Error(answer.failed);
      return answer;
    },
    async close() {
      child.disconnect();
      await ended.catch(() => undefined);
    },
  };
}

/** The other end, in the process. */
export function serveSide(run: (task: Task) => Promise<Measured>): void {
  process.on("message", (message) => {
    run(taskSchema.parse(message)).then(
      (measured) => process.send?.(measured),
      (cause: unknown) =>
        process.send?.({
          failed: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
        }),
    );
  });
  process.on("disconnect", () => process.exit());
}
