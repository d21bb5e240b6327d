import type { Cluster, Kafka } from "kafkajs";

/**
 * What is used of kafkajs beneath its public face: connections with TLS and SASL, the coordinator's requests, and a way to send requests of our own.
 *
 * kafkajs's own Consumer is not used: it rejoins a group without asking (records in flight would be handled by two workers), answers
 * OFFSET_OUT_OF_RANGE by jumping to the end or the beginning, and knows no topic ids. kafkajs is pinned to 2.2.4, which these types describe.
 */
export type Node = {
  nodeId: string | number | null;
  versions: Record<number, { minVersion: number; maxVersion: number } | undefined> | null;
  connectionPool: ConnectionPool;
  findGroupCoordinator(request: {
    groupId: string;
    coordinatorType: number;
  }): Promise<{ coordinator: { nodeId: number } }>;
  joinGroup(request: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    groupProtocols: { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    leaderId: string;
    memberId: string;
    members: { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
  }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  offsetFetch(request: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<{ responses: TopicAnswer<{ offset: string; metadata: string | null }>[] }>;
  offsetCommit(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: {
      topic: string;
      partitions: { partition: number; offset: string; metadata: string }[];
    }[];
  }): Promise<unknown>;
  listOffsets(request: {
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: TopicAnswer<{ offset: string }>[] }>;
  initProducerId(request: { transactionTimeout: number }): Promise<{
    producerId: string;
    producerEpoch: number;
  }>;
};

type TopicAnswer<T> = { topic: string; partitions: ({ partition: number } & T)[] };

export type ConnectionPool = {
  pool: Connection[];
  getConnection(index: number): Promise<Connection>;
};

export type Connection = {
  rejectRequests(error: Error): void;
  socket?: { destroy(error: Error): unknown };
  send<T>(request: RawRequest<T>): Promise<T>;
};

/** A request of our own. The payload begins with the header's tagged fields, and so does the answer: kafkajs writes the older header. */
export type RawRequest<T> = {
  request: { apiKey: number; apiVersion: number; apiName: string; encode(): Promise<Encoded> };
  response: { decode(payload: Buffer): Promise<T>; parse(data: T): Promise<T> };
  requestTimeout?: number;
  logResponseError?: boolean;
};

type Encoded = { buf: Buffer; buffer: Buffer };

/** The cluster beneath a consumer: kafkajs hands it to whoever assigns partitions. */
export function clusterOf(kafka: Kafka): Cluster {
  let found: Cluster | undefined;
  kafka.consumer({
    groupId: "unused",
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster;
        return { name: "unused", version: 0, assign: async () => [], protocol: () => UNUSED };
      },
    ],
  });
  if (found === undefined) throw new Error("kafkajs no longer makes its assigners at once");
  return found;
}

const UNUSED = { name: "unused", metadata: Buffer.alloc(0) };

/** Every connection there is, up or not. */
export function connectionsOf(cluster: Cluster): Connection[] {
  const { brokerPool } = cluster as unknown as {
    brokerPool: { seedBroker?: Node; brokers: Record<string, Node> };
  }; // kafkajs's Cluster: its public type leaves its pool out
  const nodes = new Set(Object.values(brokerPool.brokers));
  if (brokerPool.seedBroker !== undefined) nodes.add(brokerPool.seedBroker);
  return [...nodes].flatMap(({ connectionPool }) => connectionPool.pool);
}

export function nodeOf(broker: unknown): Node {
  return broker as Node; // kafkajs's Broker: its public type leaves these methods out
}

export function rawRequest<T>(
  api: { key: number; version: number; name: string },
  payload: Buffer,
  decode: (payload: Buffer) => T,
): RawRequest<T> {
  return {
    request: {
      apiKey: api.key,
      apiVersion: api.version,
      apiName: api.name,
      encode: async () => ({ buf: payload, buffer: payload }),
    },
    response: {
      decode: async (bytes) => decode(bytes),
      parse: async (data) => data,
    },
    logResponseError: false,
  };
}
