import type { KafkaClient } from "./client.ts";
import { rawRequest, type Node } from "./internals.ts";
import { WireReader, WireWriter } from "./wire.ts";

export type Produced = { topic: string; partition: number; error: number; message: string };

const API = { key: 0, version: 9, name: "Produce" };
const ALL_REPLICAS = -1;
const TIMEOUT_MS = 20_000;

/** Produce v9: one record batch a partition, answered when all replicas in sync have it. */
export async function produce(
  client: KafkaClient,
  node: Node,
  batches: readonly { topic: string; partition: number; batch: Buffer }[],
): Promise<Produced[]> {
  const w = new WireWriter();
  w.tags().text(null).int16(ALL_REPLICAS).int32(TIMEOUT_MS);
  w.list([...Map.groupBy(batches, ({ topic }) => topic)], ([topic, some]) => {
    w.text(topic);
    w.list(some, ({ partition, batch }) => w.int32(partition).data(batch).tags());
    w.tags();
  });
  return client.send(node, rawRequest(API, w.tags().finished(), decode));
}

function decode(payload: Buffer): Produced[] {
  const r = new WireReader(payload);
  const produced: Produced[] = [];
  r.tags();
  r.list(() => {
    const topic = r.text();
    r.list(() => produced.push(partition(r, topic)));
    r.tags();
  });
  return produced;
}

function partition(r: WireReader, topic: string): Produced {
  const index = r.int32();
  const error = r.int16();
  r.at += 3 * 8;
  r.list(() => {
    r.int32();
    r.text();
    r.tags();
  });
  const message = r.text();
  r.tags();
  return { topic, partition: index, error, message };
}
