import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import kafkajs, { type KafkaConfig, type SASLOptions } from "kafkajs";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { readSecret, type KafkaConnection, type Surroundings } from "../connections.ts";
import { clusterOf, connectionsOf, nodeOf, type Node, type RawRequest } from "./internals.ts";
import { repairKafkajs } from "./repair-kafkajs.ts";

const { Kafka, logLevel } = kafkajs;

/** Where kafkajs's own log goes; nowhere by default. */
export type KafkaLog = (level: "error" | "warn" | "info" | "debug", message: string) => void;

/** A connection to a cluster, and the requests sent over it. */
export type KafkaClient = {
  /** A broker, connected and logged in. */
  node(nodeId: number): Promise<Node>;
  /** One that has answered so far, or least lately did not. */
  anyNode(): Promise<Node>;
  coordinator(groupId: string): Promise<Node>;
  send<T>(node: Node, request: RawRequest<T>): Promise<T>;
  close(): Promise<void>;
};

/** kafkajs sends fetches over a connection of their own, so that a long poll holds nothing up. */
const FETCH_CONNECTION = 1;
const FETCH_API = 1;
const GROUP = 0;

export function openKafkaClient(
  connection: KafkaConnection,
  surroundings: Surroundings,
  log?: KafkaLog,
): Result<KafkaClient> {
  const config = kafkaConfig(connection, surroundings, log);
  if (!config.ok) return config;
  repairKafkajs();
  const cluster = clusterOf(new Kafka(config.value));
  let isClosed = false;
  /** When a broker last failed a request, by its id: one that is frozen stays connected. */
  const failedAt = new Map<string, number>();

  function failed(nodeId: string): void {
    failedAt.set(nodeId, performance.now());
  }

  async function ready(broker: unknown): Promise<Node> {
    const node = nodeOf(broker);
    await node.connectionPool.getConnection(0);
    return node;
  }

  async function known(): Promise<void> {
    if (isClosed) throw new Error("the client is closed");
    if (cluster.getNodeIds().length > 0) return;
    await cluster.connect();
    await cluster.refreshMetadata();
  }

  async function nodeWith(nodeId: number): Promise<Node> {
    await known();
    return ready(await cluster.findBroker({ nodeId: String(nodeId) }));
  }

  async function anyNode(): Promise<Node> {
    await known();
    let cause: unknown;
    const failedLast = (nodeId: string): number => failedAt.get(nodeId) ?? 0;
    const nodeIds = cluster.getNodeIds().map(String);
    for (const nodeId of nodeIds.toSorted((a, b) => failedLast(a) - failedLast(b))) {
      try {
        return await ready(await cluster.findBroker({ nodeId }));
      } catch (refused) {
        failed(nodeId);
        cause = refused;
      }
    }
    await cluster.connect();
    await cluster.refreshMetadata();
    throw cause;
  }

  async function asked<T>(node: Node, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (cause) {
      failed(String(node.nodeId));
      throw cause;
    }
  }

  return ok({
    node: nodeWith,
    anyNode,
    /** Asked of the broker itself: kafkajs's cluster swallows why it is refused. */
    async coordinator(groupId) {
      const node = await anyNode();
      const found = await asked(node, () =>
        node.findGroupCoordinator({ groupId, coordinatorType: GROUP }),
      );
      return nodeWith(found.coordinator.nodeId);
    },
    send: (node, request) =>
      asked(node, async () => {
        const index = request.request.apiKey === FETCH_API ? FETCH_CONNECTION : 0;
        return (await node.connectionPool.getConnection(index)).send(request);
      }),
    async close() {
      isClosed = true;
      const closed = new Error("the client is closed");
      for (const open of connectionsOf(cluster)) {
        open.rejectRequests(closed);
        open.socket?.destroy(closed);
      }
      await turn();
      await cluster.disconnect();
    },
  });
}

/** What kafkajs's `new Kafka(…)` takes. Files are read here, so that a missing one is named. */
export function kafkaConfig(
  connection: KafkaConnection,
  surroundings: Surroundings,
  log?: KafkaLog,
): Result<KafkaConfig> {
  const ssl = tlsOf(connection, surroundings);
  if (!ssl.ok) return ssl;
  const sasl = saslOf(connection, surroundings);
  if (!sasl.ok) return sasl;
  return ok({
    clientId: "penstock",
    brokers: [...connection.brokers],
    ssl: ssl.value,
    ...(sasl.value === undefined ? {} : { sasl: sasl.value }),
    connectionTimeout: 3000,
    authenticationTimeout: 10_000,
    requestTimeout: 15_000,
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1000 },
    logLevel: log === undefined ? logLevel.NOTHING : logLevel.INFO,
    logCreator: () => (entry) => {
      const level = LEVELS[entry.level];
      if (level !== undefined) log?.(level, `${entry.namespace}: ${entry.log.message}`);
    },
  });
}

const LEVELS: Record<number, "error" | "warn" | "info" | "debug" | undefined> = {
  [logLevel.ERROR]: "error",
  [logLevel.WARN]: "warn",
  [logLevel.INFO]: "info",
  [logLevel.DEBUG]: "debug",
};

function tlsOf(
  { tls }: KafkaConnection,
  { root }: Surroundings,
): Result<ConnectionOptions | boolean> {
  if (typeof tls === "boolean") return ok(tls);
  const options: ConnectionOptions = {};
  const files = [
    ["ca", tls.ca],
    ["cert", tls.certificate],
    ["key", tls.key],
  ] as const;
  for (const [option, file] of files) {
    if (file === undefined) continue;
    try {
      options[option] = readFileSync(resolve(root, file));
    } catch {
      return fail({
        code: "tls-file-missing",
        message: `The environment's file names ${file} for TLS, and it cannot be read.`,
        hint: "Paths are relative to the workspace. Put the file there, or correct the path.",
        at: { file },
      });
    }
  }
  return ok(options);
}

function saslOf(
  { sasl }: KafkaConnection,
  surroundings: Surroundings,
): Result<SASLOptions | undefined> {
  if (sasl === undefined) return ok(undefined);
  const password = readSecret(sasl.password, surroundings);
  if (!password.ok) return password;
  return ok({ mechanism: sasl.mechanism, username: sasl.username, password: password.value });
}
