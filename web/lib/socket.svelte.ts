export type Connection = "connecting" | "open" | "lost";

const backoffMs = [250, 500, 1_000, 2_000, 4_000];

/**
 * A WebSocket that comes back by itself. `connection` says whether it is there; messages sent while it is away wait for it.
 * `onOpen` runs on each connection, so that a page can ask again for what it may have missed.
 */
export class LiveSocket<Incoming> {
  connection = $state<Connection>("connecting");
  /** When the next attempt is made, in epoch milliseconds; undefined while connected. */
  retryAt = $state<number | undefined>(undefined);

  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #isClosed = false;
  #waiting: string[] = [];
  readonly #path: string;
  readonly #onMessage: (message: Incoming) => void;
  readonly #onOpen: () => void;

  constructor(path: string, onMessage: (message: Incoming) => void, onOpen: () => void = () => {}) {
    this.#path = path;
    this.#onMessage = onMessage;
    this.#onOpen = onOpen;
    this.#connect();
  }

  send(message: unknown): void {
    const text = JSON.stringify(message);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
    else this.#waiting.push(text);
  }

  /** Tries at once instead of waiting for the next attempt. */
  retry(): void {
    if (this.connection === "open" || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#attempts = 0;
      this.connection = "open";
      this.retryAt = undefined;
      for (const text of this.#waiting.splice(0)) socket.send(text);
      this.#onOpen();
    });
    socket.addEventListener("message", (event) => {
      if (typeof event.data === "string") this.#onMessage(JSON.parse(event.data) as Incoming);
    });
    socket.addEventListener("close", () => {
      if (this.#isClosed || this.#socket !== socket) return;
      const wait = backoffMs[Math.min(this.#attempts, backoffMs.length - 1)] ?? 4_000;
      this.#attempts += 1;
      // A connection that never came up is "connecting" for the first tries: no alarm for a slow start.
      if (this.connection === "open" || this.#attempts > 2) this.connection = "lost";
      this.retryAt = Date.now() + wait;
      this.#timer = setTimeout(() => this.#connect(), wait);
    });
  }
}
