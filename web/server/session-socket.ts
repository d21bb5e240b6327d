import type { RawData, WebSocket } from "ws";
import type { NotebookSession } from "#kernel/session-host.ts";
import type { Problem } from "#snapshots/problem.ts";
import { misfit } from "../api/door.ts";
import { sessionRequest, type SessionMessage, type SessionRequest } from "../api/messages.ts";
import { problemOf } from "../api/refusal.ts";
import { openOutbox } from "./outbox.ts";
import type { OpenSession } from "./sessions.ts";

/** A page waits for what it asked: this many requests under way are a page gone wrong. */
const requestsUnderWay = 256;

/** One page on a notebook's session: its requests in, the session's events and its replies out. */
export function serveSession(socket: WebSocket, name: string, open: OpenSession): void {
  const opened = open(name);
  let underWay = 0;

  // Listening begins at once: a page may speak before the session is open.
  socket.on("message", (data, isBinary) => {
    const request = isBinary ? undefined : parse(data);
    if (!request?.ok) {
      send({ type: "problem", problem: request?.problem ?? binary });
      return;
    }
    if (underWay >= requestsUnderWay) {
      answer(request.value, { problem: tooMany });
      return;
    }
    underWay += 1;
    void handle(request.value).finally(() => {
      underWay -= 1;
    });
  });

  const outbox = openOutbox<SessionMessage>(socket, {
    encode: JSON.stringify,
    catchUp: () => void attach(),
  });
  let detach: (() => void) | undefined;
  socket.once("close", () => detach?.());
  void begin();

  async function begin(): Promise<void> {
    const session = await opened;
    if (!session.ok) {
      send({ type: "problem", problem: session.problem });
      socket.close(4404, "no session");
      return;
    }
    await attach();
  }

  /** Subscribing sends the whole document first: it is also how a page that fell behind is made whole. */
  async function attach(): Promise<void> {
    const session = await opened;
    detach?.();
    if (!session.ok || socket.readyState !== socket.OPEN) return;
    detach = session.value.subscribe((event) => outbox.send(event));
  }

  async function handle(request: SessionRequest): Promise<void> {
    const session = await opened;
    if (!session.ok) return answer(request, { problem: session.problem });
    try {
      const reply = await perform(session.value, request);
      if ("problem" in reply && request.id === undefined) {
        send({ type: "problem", problem: reply.problem });
      } else {
        answer(request, reply);
      }
    } catch (error) {
      answer(request, { problem: problemOf(error) });
    }
  }

  function answer(request: SessionRequest, reply: Reply): void {
    if (request.id !== undefined) send({ reply: request.id, ...reply });
    else if ("problem" in reply) send({ type: "problem", problem: reply.problem });
  }

  function send(message: SessionMessage): void {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  }
}

type Reply =
  | Record<string, never>
  | { problem: Problem }
  | { completions: Awaited<ReturnType<NotebookSession["completions"]>> }
  | { hover: string | null };

async function perform(session: NotebookSession, request: SessionRequest): Promise<Reply> {
  if ("op" in request) {
    const problem = await session.apply(request.op);
    return problem ? { problem } : {};
  }
  if ("complete" in request) {
    const { cell, line, column } = request.complete;
    return { completions: await session.completions(cell, line, column) };
  }
  const { cell, line, column } = request.hover;
  return { hover: (await session.hover(cell, line, column)) ?? null };
}

function parse(
  data: RawData,
): { ok: true; value: SessionRequest } | { ok: false; problem: Problem } {
  try {
    const parsed = sessionRequest.safeParse(JSON.parse(textOf(data)));
    if (parsed.success) return { ok: true, value: parsed.data };
    return { ok: false, problem: misfit("The message", parsed.error) };
  } catch {
    return { ok: false, problem: { code: "bad-json", message: "The message is not JSON." } };
  }
}

/** `ws` gives text as a buffer, a fragmented message as several. */
function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return Buffer.from(data as Buffer).toString("utf8");
}

const binary: Problem = {
  code: "bad-request",
  message: "The message is binary; JSON is expected.",
};
const tooMany: Problem = {
  code: "too-many-requests",
  message: `${requestsUnderWay} requests of this page are still under way.`,
  hint: "Wait for their replies; reload the page if they never come.",
};
