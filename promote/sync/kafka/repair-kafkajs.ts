import { createRequire } from "node:module";

type Connection = {
  connectionStatus: string;
  connect: (this: Connection) => Promise<unknown>;
  disconnect: (this: Connection) => Promise<unknown>;
  isConnected: (this: Connection) => boolean;
  rejectRequests: (error: Error) => void;
  socket?: { destroy(): unknown };
  /** What has come of an answer that is not whole yet. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
};
type Login = {
  connection: { send: (request: unknown) => Promise<unknown> };
  authenticate: (this: Login) => Promise<unknown>;
};
type Queue = { pending: unknown[]; scheduleCheckPendingRequests: (this: Queue) => void };

const ANSWERS_MS = 1000;
let isRepaired = false;

/**
 * What kafkajs 2.2.4 (pinned, and no longer kept up) does wrong when brokers come and go, put right where it is written:
 *
 * - A connection that is on its way down counts as up: requests go into a dead socket, and it waits for their answers. Two requests that find
 *   it down each open a socket, and one that failed takes down what another is bringing up. Each time a dead one is taken down again it gains a listener, until Node warns of a leak.
 * - What came of an answer before its connection broke is taken for the beginning of the next connection's first: nothing is understood from then on.
 * - Whatever ends a login passes for a refused one, also a connection that broke.
 * - A timer is set for requests that are not there, at a negative time, of which Node 24 warns on the terminal.
 */
export function repairKafkajs(): void {
  if (isRepaired) return;
  isRepaired = true;
  const load = createRequire(import.meta.url);
  const source = (file: string): unknown => load(`kafkajs/src/${file}`);
  repairConnection((source("network/connection") as { prototype: Connection }).prototype); // its class
  repairLogin((source("broker/saslAuthenticator") as { prototype: Login }).prototype); // its class
  repairTimers((source("network/requestQueue") as { prototype: Queue }).prototype); // its class
}

function repairConnection(shared: Connection): void {
  const { connect, disconnect } = shared;
  const goingUp = new WeakMap<Connection, Promise<unknown>>();
  const goingDown = new WeakMap<Connection, Promise<unknown>>();

  shared.isConnected = function isUp() {
    return this.connectionStatus === "connected";
  };
  const ended = new WeakSet<object>();
  shared.disconnect = async function disconnectOnce() {
    const { socket } = this;
    const isDown = this.connectionStatus === "disconnected";
    if (goingUp.has(this) || (isDown && (socket === undefined || ended.has(socket)))) return true;
    if (socket !== undefined) ended.add(socket);
    // It waits for the answers it is owed, which a socket that is gone never brings.
    const enough = setTimeout(() => this.rejectRequests(new Error("disconnected")), ANSWERS_MS);
    return once(goingDown, this, async () => disconnect.call(this)).finally(() =>
      clearTimeout(enough),
    );
  };
  shared.connect = function connectOnce() {
    return once(goingUp, this, async () => {
      await goingDown.get(this);
      if (!this.isConnected()) beginAnswers(this);
      try {
        return await connect.call(this);
      } catch (cause) {
        this.socket?.destroy();
        throw cause;
      }
    });
  };
}

/** An answer's length comes first, in four bytes. */
const LENGTH_BYTES = 4;

function beginAnswers(connection: Connection): void {
  connection.chunks = [];
  connection.bytesBuffered = 0;
  connection.bytesNeeded = LENGTH_BYTES;
}

async function once(
  running: WeakMap<Connection, Promise<unknown>>,
  connection: Connection,
  act: () => Promise<unknown>,
): Promise<unknown> {
  const already = running.get(connection);
  if (already !== undefined) return already;
  const begun = act().finally(() => running.delete(connection));
  running.set(connection, begun);
  return begun;
}

/** The failure of a request says more than what kafkajs makes of it. */
function repairLogin(shared: Login): void {
  const { authenticate } = shared;
  shared.authenticate = async function authenticateOrSayWhy() {
    const { connection } = this;
    let failed: unknown;
    const send = (request: unknown): Promise<unknown> =>
      connection.send(request).catch((cause: unknown) => {
        failed = cause;
        throw cause;
      });
    this.connection = Object.create(connection, { send: { value: send } }) as Login["connection"]; // all else as it is
    try {
      return await authenticate.call(this);
    } catch (cause) {
      throw failed ?? cause;
    }
  };
}

function repairTimers(shared: Queue): void {
  const schedule = shared.scheduleCheckPendingRequests;
  shared.scheduleCheckPendingRequests = function scheduleWhatIsPending() {
    if (this.pending.length > 0) schedule.call(this);
  };
}
