import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Problem } from "#snapshots/problem.ts";
import { encodeFrame, frameAssembler, type Frame } from "./runtime/frames.ts";
import { nestsDeeper } from "./runtime/json-depth.ts";
import { guestCommand, type GuestKind } from "./sandbox.ts";

/** A guest's process: frames in, frames out, and one reason why it ended. */
export type GuestProcess = {
  send(header: object, payloads?: readonly Uint8Array[]): void;
  /** Takes over what the process says. Frames that came before are kept for this. */
  listen(listener: GuestListener): void;
  /** Ends it now. The reason is what `ended` hears; the first one counts. */
  kill(reason: Problem): void;
  /** Ends it when it has nothing left to do: closes its input. */
  close(): Promise<void>;
  readonly isAlive: boolean;
  readonly memoryMb: number;
  pid: number | undefined;
};

export type GuestListener = {
  frame(header: unknown, payload: Uint8Array): void;
  ended(reason: Problem): void;
};

/** What the guest's own code sends stays well below; what walks a header here must not fill the stack. */
const deepestHeader = 1_500;
const limits = { headerBytes: 2 ** 26, payloadBytes: 2 ** 30 };
export const defaultMemoryMb = 1024;

const spares = new Map<string, GuestProcess>();

/** A fresh guest: the warm spare where one waits, so that opening takes a message rather than a start. */
export function openGuestProcess(kind: GuestKind, memoryMb = defaultMemoryMb): GuestProcess {
  const key = `${kind} ${memoryMb}`;
  const spare = spares.get(key);
  spares.delete(key);
  const guest = spare?.isAlive ? spare : startGuest(kind, memoryMb);
  setImmediate(() => {
    if (!spares.has(key)) spares.set(key, startGuest(kind, memoryMb));
  }).unref();
  return guest;
}

/** Starts a spare ahead of need. */
export function warmGuests(kind: GuestKind, memoryMb = defaultMemoryMb): void {
  const key = `${kind} ${memoryMb}`;
  if (!spares.has(key)) spares.set(key, startGuest(kind, memoryMb));
}

/** Ends the waiting spares. */
export async function closeSpareGuests(): Promise<void> {
  const waiting = [...spares.values()];
  spares.clear();
  await Promise.all(waiting.map((guest) => guest.close()));
}

function startGuest(kind: GuestKind, memoryMb: number): GuestProcess {
  const { command, args, env } = guestCommand(kind, memoryMb);
  const child = spawned(command, args, env);
  return child instanceof Error ? unstarted(cannotStart(child), memoryMb) : attach(child, memoryMb);
}

function attach(child: ChildProcessWithoutNullStreams, memoryMb: number): GuestProcess {
  // User code never learns the token, so that nothing it may write by some unknown way passes for the guest's own frame.
  const token = randomBytes(16).toString("hex");
  const assembler = frameAssembler(limits);
  const waiting: { header: unknown; payload: Uint8Array }[] = [];
  let listener: GuestListener | undefined;
  let reason: Problem | undefined;
  let isAlive = true;
  let stderr = "";
  let isFirst = true;
  const ended = Promise.withResolvers<void>();

  child.stdout.on("data", (chunk: Buffer) => {
    try {
      for (const frame of assemble(assembler, chunk)) receive(frame);
    } catch (error) {
      kill(
        garbage(
          error instanceof RangeError
            ? `It announced ${error.message}.`
            : "Its frames could not be read.",
        ),
      );
    }
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString("utf8")).slice(-4000);
  });
  child.stdin.on("error", () => undefined);
  child.on("error", (error) => end(cannotStart(error)));
  child.on("close", (code, signal) => end(deathOf(code, signal, stderr, memoryMb)));
  quietly(child);

  function receive(frame: Frame): void {
    if (reason) return;
    const header = parseHeader(frame.header);
    if (header === undefined || header.token !== token) {
      kill(garbage("A frame did not come from the guest's own code."));
      return;
    }
    if (listener) listener.frame(header, frame.payload);
    else waiting.push({ header, payload: frame.payload });
  }

  function kill(why: Problem): void {
    if (!isAlive) return;
    killAll(child);
    for (const pipe of child.stdio) pipe?.destroy();
    end(why);
  }

  function end(why: Problem): void {
    if (!isAlive) return;
    isAlive = false;
    reason ??= why;
    ended.resolve();
    listener?.ended(reason);
  }

  return {
    send(header, payloads = []) {
      if (!isAlive || reason) return;
      if (isFirst) child.ref();
      const text = Buffer.from(JSON.stringify(isFirst ? { ...header, token } : header));
      isFirst = false;
      for (const bytes of encodeFrame(text, payloads)) child.stdin.write(bytes);
    },
    listen(next) {
      listener = next;
      child.ref();
      for (const pipe of [child.stdin, child.stdout, child.stderr]) refPipe(pipe, "ref");
      for (const { header, payload } of waiting.splice(0)) next.frame(header, payload);
      if (!isAlive && reason) next.ended(reason);
    },
    kill,
    async close() {
      reason ??= { code: "guest-closed", message: "The guest was closed." };
      child.stdin.end();
      // Nothing else may be left that keeps the program up until a spare has ended.
      child.ref();
      const timer = setTimeout(() => killAll(child), 200);
      await ended.promise;
      clearTimeout(timer);
    },
    get isAlive() {
      return isAlive && reason === undefined;
    },
    memoryMb,
    pid: child.pid,
  };
}

/** Without memory `spawn` throws, without a free file descriptor the child comes without its pipes. */
function spawned(
  command: string,
  args: string[],
  env: Record<string, string>,
): ChildProcessWithoutNullStreams | Error {
  try {
    const child = spawn(command, args, {
      env,
      cwd: "/",
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    if ((child.stdio as unknown) !== undefined) return child;
    child.on("error", () => undefined);
    return new Error("this process has too many files open");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function unstarted(reason: Problem, memoryMb: number): GuestProcess {
  return {
    send: () => undefined,
    listen: (listener) => listener.ended(reason),
    kill: () => undefined,
    close: () => Promise.resolve(),
    isAlive: false,
    memoryMb,
    pid: undefined,
  };
}

function* assemble(assembler: ReturnType<typeof frameAssembler>, chunk: Buffer): Generator<Frame> {
  let at = 0;
  while (at < chunk.byteLength) {
    const into = assembler.want();
    const size = Math.min(into.byteLength, chunk.byteLength - at);
    into.set(chunk.subarray(at, at + size));
    at += size;
    const frame = assembler.filled(size);
    if (frame) yield frame;
  }
}

function parseHeader(bytes: Uint8Array): { token?: unknown } | undefined {
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    if (nestsDeeper(text, deepestHeader)) return undefined;
    const header: unknown = JSON.parse(text);
    return header !== null && typeof header === "object" ? header : undefined;
  } catch {
    return undefined;
  }
}

/** The whole process group: a sandbox killed alone while it starts leaves its child behind. */
function killAll(child: ChildProcess): void {
  try {
    if (child.pid === undefined || process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** A spare must not keep the program running. */
function quietly(child: ChildProcess): void {
  child.unref();
  for (const pipe of [child.stdin, child.stdout, child.stderr]) refPipe(pipe, "unref");
}

function refPipe(pipe: unknown, what: "ref" | "unref"): void {
  const socket = pipe as { ref?(): void; unref?(): void } | null;
  socket?.[what]?.();
}

function garbage(detail: string): Problem {
  return {
    code: "guest-garbage",
    message: `The guest broke its protocol and was ended. ${detail}`,
    hint: "Nothing it computed was kept. Run again; if it repeats, look for code that writes where it should not.",
  };
}

/** A guest can send no signals; a crash of its own has others. A sandbox tells its child's signal as 128 and its number. */
function isFromOutside(code: number | null, signal: string | null): boolean {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
  return Object.entries(numbers).some(([name, number]) => signal === name || code === 128 + number);
}

function cannotStart(error: Error): Problem {
  return {
    code: "guest-start",
    message: `The guest could not be started: ${error.message}`,
    hint: "Check that the deno package is installed and that its binary may be run.",
  };
}

function deathOf(
  code: number | null,
  signal: string | null,
  stderr: string,
  memoryMb: number,
): Problem {
  const isMemory =
    /out of memory|heap limit|allocation failed|Fatal process/i.test(stderr) ||
    signal === "SIGABRT" ||
    signal === "SIGTRAP" ||
    code === 133 ||
    code === 134;
  if (isMemory) {
    return {
      code: "guest-memory",
      message: `The code needed more than the ${memoryMb} MB of memory it may have, and its guest was ended.`,
      hint: "Keep less at once: let SQL aggregate, read tables in pieces, or raise the memory limit.",
    };
  }
  if (/Top-level await promise never resolved/.test(stderr)) {
    return {
      code: "guest-waits",
      message: "The code waits at its top level for something that never comes.",
      hint: "A bundle has no timers, files or network to wait for: take the await out.",
    };
  }
  if (isFromOutside(code, signal)) {
    return {
      code: "guest-killed",
      message: `The guest was killed from outside (${signal ?? `exit code ${code}`}): by a person, or by the system because memory ran out.`,
      hint: "Run again; a fresh guest is started. If it repeats, look at the system's log for the out-of-memory killer.",
    };
  }
  const last = stderr.trim().split("\n").at(-1)?.slice(0, 300);
  return {
    code: "guest-died",
    message: `The guest ended unexpectedly (${signal ?? `exit code ${code}`})${last ? `: ${last}` : "."}`,
    hint: "Run again; a fresh guest is started.",
  };
}
