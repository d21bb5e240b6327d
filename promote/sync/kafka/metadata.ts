import { KafkaError } from "./errors.ts";
import type { KafkaClient } from "./client.ts";
import { rawRequest } from "./internals.ts";
import { WireReader, WireWriter } from "./wire.ts";

/** A topic as the cluster knows it now. `id` is made with the topic: one made again under an old name has another. */
export type TopicMetadata = {
  name: string;
  id: string;
  partitions: readonly { partition: number; leader: number }[];
};

export type Metadata = {
  topics: ReadonlyMap<string, TopicMetadata>;
  /** Topics asked for that the user may not see. */
  forbidden: readonly string[];
};

const API = { key: 3, version: 12, name: "Metadata" };
const UNKNOWN_TOPIC = 3;
const TOPIC_AUTHORIZATION_FAILED = 29;
/** A topic between its making and its leaders' election. */
const LEADER_NOT_AVAILABLE = 5;

/**
 * Metadata v12 (Kafka 3.1 and later): kafkajs stops at v6, before topics had ids.
 * `names` undefined: every topic. Topics that do not exist are left out.
 */
export async function fetchMetadata(
  client: KafkaClient,
  names: readonly string[] | undefined,
): Promise<Metadata> {
  const node = await client.anyNode();
  if ((node.versions?.[API.key]?.maxVersion ?? 0) < API.version)
    throw new KafkaError(35, "the broker is older than Kafka 3.1 and has no topic ids");
  const writer = new WireWriter();
  writer.tags();
  writer.list(names ?? null, (name) => writer.uuid("0".repeat(32)).text(name).tags());
  writer.int8(0).int8(0).tags();
  return client.send(node, rawRequest(API, writer.finished(), decode));
}

function decode(payload: Buffer): Metadata {
  const r = new WireReader(payload);
  const topics = new Map<string, TopicMetadata>();
  const forbidden: string[] = [];
  r.tags();
  r.int32();
  r.list(() => {
    r.int32();
    r.text();
    r.int32();
    r.text();
    r.tags();
  });
  r.text();
  r.int32();
  r.list(() => {
    const error = r.int16();
    const name = r.text();
    const id = r.uuid();
    const isInternal = r.int8() === 1;
    const partitions = r.list(() => partition(r));
    r.int32();
    r.tags();
    if (error === TOPIC_AUTHORIZATION_FAILED) forbidden.push(name);
    else if (error !== 0 && error !== UNKNOWN_TOPIC && error !== LEADER_NOT_AVAILABLE)
      throw new KafkaError(error, `metadata of topic ${name}`);
    else if (error !== UNKNOWN_TOPIC && !isInternal) topics.set(name, { name, id, partitions });
  });
  return { topics, forbidden };
}

function partition(r: WireReader): { partition: number; leader: number } {
  r.int16();
  const found = { partition: r.int32(), leader: r.int32() };
  r.int32();
  for (let list = 0; list < 3; list++) r.list(() => r.int32());
  r.tags();
  return found;
}
