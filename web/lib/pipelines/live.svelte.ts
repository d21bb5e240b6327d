import { LiveSocket, type Connection } from "../socket.svelte.ts";
import type { PipelineStatus } from "#promote/sync/sync.ts";
import type { LiveMessage } from "#web/api/messages.ts";

/** What one pipeline did since the page was opened, a value a second: for what the server keeps no history of. */
type Trace = { lag: number[]; rows: Record<string, number[]>; at: number };

const seconds = 120;
const nothing: Trace = { lag: [], rows: {}, at: 0 };

/** Every pipeline as it is now, by WebSocket; the last known state stays while the connection is away. */
export class LivePipelines {
  all = $state.raw<PipelineStatus[]>([]);
  isKnown = $state(false);
  /** Goes up with each message: what draws traces reads it. */
  version = $state(0);
  readonly #traces: Record<string, Trace> = {};
  readonly #socket: LiveSocket<LiveMessage>;

  constructor() {
    this.#socket = new LiveSocket<LiveMessage>("/api/pipelines/live", (message) => {
      if (message.type === "pipelines") this.take(message.pipelines);
    });
  }

  get connection(): Connection {
    return this.#socket.connection;
  }

  retry(): void {
    this.#socket.retry();
  }

  close(): void {
    this.#socket.close();
  }

  take(pipelines: PipelineStatus[]): void {
    this.all = pipelines;
    this.isKnown = true;
    for (const status of pipelines) this.#trace(status);
    this.version += 1;
  }

  trace(environment: string, name: string): Trace {
    void this.version;
    return this.#traces[`${environment}/${name}`] ?? nothing;
  }

  /** One value a second, however often messages come. */
  #trace(status: PipelineStatus): void {
    const key = `${status.environment}/${status.name}`;
    const trace = this.#traces[key] ?? nothing;
    const isSameSecond = Date.now() - trace.at < 950;
    const push = (values: number[], value: number) =>
      isSameSecond ? [...values.slice(0, -1), value] : [...values, value].slice(-seconds);
    const rows = Object.fromEntries(
      status.sinks.map(({ name, rows }) => [name, push(trace.rows[name] ?? [], rows)]),
    );
    this.#traces[key] = {
      lag: push(trace.lag, status.lag),
      rows,
      at: isSameSecond ? trace.at : Date.now(),
    };
  }
}
