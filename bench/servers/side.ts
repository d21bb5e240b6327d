import { fork } from "node:child_process";
import { z } from "zod";
import type { Measured } from "./meter.ts";
import { taskSchema, type Task } from "./task.ts";

/** A process that does one thing over and over, so that it is warm, and has processor time and memory of its own. */
export type Side = {
  /** `onFirst`: the first records have come through. */
  run(task: Task, onFirst?: () => void): Promise<Measured>;
  close(): Promise<void>;
};

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
  z.object({ isRunning: z.literal(true) }),
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
    run(task, onFirst) {
      const { promise, resolve, reject } = Promise.withResolvers<Measured>();
      const listen = (message: unknown): void => {
        const answer = answerSchema.parse(message);
        if ("isRunning" in answer) onFirst?.();
        else if ("failed" in answer) reject(new Error(answer.failed));
        else resolve(answer);
      };
      child.on("message", listen);
      child.send(task);
      return Promise.race([promise, ended]).finally(() => child.off("message", listen));
    },
    async close() {
      child.disconnect();
      await ended.catch(() => undefined);
    },
  };
}

/** The other end, in the process. */
export function serveSide(run: (task: Task, onFirst: () => void) => Promise<Measured>): void {
  const onFirst = (): unknown => process.send?.({ isRunning: true });
  process.on("message", (message) => {
    run(taskSchema.parse(message), onFirst).then(
      (measured) => process.send?.(measured),
      (cause: unknown) =>
        process.send?.({
          failed: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
        }),
    );
  });
  process.on("disconnect", () => process.exit());
}
