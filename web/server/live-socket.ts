import type { WebSocket } from "ws";
import type { Sync } from "#promote/sync/sync.ts";
import type { LiveMessage } from "../api/messages.ts";
import { openOutbox } from "./outbox.ts";

/** A person sees no more than this many changes a second; the pipelines make many more. */
const intervalMs = 250;

/** One page on the pipelines: all statuses on connect, then again while they change. */
export function serveLive(socket: WebSocket, sync: Sync): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasChanged = false;
  const outbox = openOutbox<LiveMessage>(socket, { encode: JSON.stringify, catchUp: send });
  const unsubscribe = sync.subscribe(() => {
    hasChanged = true;
    timer ??= setTimeout(tick, intervalMs);
  });
  socket.on("message", () => socket.close(1003, "nothing to say here"));
  socket.once("close", () => {
    clearTimeout(timer);
    unsubscribe();
  });
  send();

  function tick(): void {
    timer = undefined;
    if (hasChanged) send();
  }

  function send(): void {
    hasChanged = false;
    outbox.send({ type: "pipelines", pipelines: sync.status() });
  }
}
