import { fail, type Result } from "../problem.ts";
import type { FromWorker, Limits, ToWorker, WorkerRequest } from "../protocol.ts";
import { problemOf } from "./errors.ts";
import { prepareSpare } from "./database.ts";
import { runDigest } from "./digest.ts";
import { runDiff } from "./diff.ts";
import { runDiffCauses } from "./diff-causes.ts";
import { runDiffExport } from "./diff-export.ts";
import { runDiffProfile } from "./diff-profile.ts";
import { runDiffRows } from "./diff-rows.ts";
import { runDiffSet, runDiffSince } from "./diff-sets.ts";
import { runFreeze } from "./freeze.ts";
import { runProfile } from "./profile.ts";
import { runSql } from "./sql.ts";
import { runRead, runWindow } from "./tables.ts";
import { runWrite, type Incoming } from "./write.ts";

/**
 * A worker process: DuckDB and nothing else, so that it can be killed at any moment without taking a session or a pipeline along.
 * It serves one request at a time and ends when its parent is gone.
 */
type Mailbox = { next(): Promise<ToWorker>; put(message: ToWorker): void };

function mailbox(): Mailbox {
  const waiting: ToWorker[] = [];
  let wake: ((message: ToWorker) => void) | undefined;
  return {
    put(message) {
      if (wake === undefined) waiting.push(message);
      else wake(message);
      wake = undefined;
    },
    next() {
      const first = waiting.shift();
      return first === undefined
        ? new Promise((resolve) => {
            wake = resolve;
          })
        : Promise.resolve(first);
    },
  };
}

function send(message: FromWorker): void {
  process.send?.(message);
}

let inbox = mailbox();

process.on("message", (message: ToWorker) => {
  if (message.type !== "request") {
    inbox.put(message);
    return;
  }
  inbox = mailbox();
  void serve(message.id, message.request, message.limits, inbox);
});
// A thread of DuckDB's may be busy for long: an orderly exit would wait for it.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
send({ type: "ready" });

async function serve(
  id: number,
  request: WorkerRequest,
  limits: Limits,
  inbox: Mailbox,
): Promise<void> {
  const result = await answer(id, request, limits, inbox).catch((error: unknown) =>
    fail(problemOf(error)),
  );
  send(
    result.ok
      ? { type: "done", id, value: result.value }
      : { type: "failed", id, problem: result.problem },
  );
  if (
    request.kind === "sql" ||
    request.kind === "freeze" ||
    request.kind === "write" ||
    request.kind === "diff"
  ) {
    // Not at once: what follows on this request may want the processor first.
    setTimeout(() => prepareSpare(limits), 200).unref();
  }
}

function answer(
  id: number,
  request: WorkerRequest,
  limits: Limits,
  inbox: Mailbox,
): Promise<Result<unknown>> {
  const progress = (fraction: number, rows: number) =>
    send({ type: "progress", id, fraction, rows });
  switch (request.kind) {
    case "sql":
      return runSql(request, limits, progress);
    case "freeze":
      return runFreeze(request, limits, progress);
    case "digest":
      return runDigest(request, limits);
    case "write":
      return runWrite(request, limits, incoming(id, inbox));
    case "window":
      return runWindow(request, limits);
    case "read":
      return runRead(request, limits, async (ipc) => {
        send({ type: "batch", id, ipc });
        return (await inbox.next()).type === "more";
      });
    case "profile":
      return runProfile(request, limits);
    case "diff":
      return runDiff(request, limits, progress);
    case "diffExport":
      return runDiffExport(request, limits, progress);
    case "diffRows":
      return runDiffRows(request, limits);
    case "diffSet":
      return runDiffSet(request, limits);
    case "diffSince":
      return runDiffSince(request, limits);
    case "diffCauses":
      return runDiffCauses(request, limits);
    case "diffProfile":
      return runDiffProfile(request, limits);
  }
}

/** The batches of a write: asking for one grants the parent another. */
async function* incoming(id: number, inbox: Mailbox): Incoming {
  for (;;) {
    send({ type: "more", id });
    const message = await inbox.next();
    if (message.type !== "rows") return;
    yield message;
  }
}
