import { WebSocket } from "ws";

/** Beyond this much unsent text a page is behind: it gets no more events until it has caught up. */
const behindBytes = 4 * 1024 * 1024;
const checkMs = 50;

export type Outbox<Message> = {
  /** False when the page is behind: the message was dropped, and `catchUp` will follow. */
  send(message: Message): boolean;
};

/**
 * Sends to one page without piling up what it does not read: events are dropped once too much is waiting, and when it has
 * drained `catchUp` sends whatever makes the page whole again. Replies to requests always go (a page has few under way).
 */
export function openOutbox<Message>(
  socket: WebSocket,
  options: { encode(message: Message): string; catchUp(): void },
): Outbox<Message> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  socket.once("close", () => clearTimeout(timer));

  function waitForRoom(): void {
    timer = setTimeout(() => {
      timer = undefined;
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > behindBytes / 2) waitForRoom();
      else options.catchUp();
    }, checkMs);
  }

  return {
    send: (message) => {
      if (socket.readyState !== WebSocket.OPEN) return false;
      if (timer !== undefined) return false;
      if (socket.bufferedAmount > behindBytes) {
        waitForRoom();
        return false;
      }
      socket.send(options.encode(message));
      return true;
    },
  };
}
