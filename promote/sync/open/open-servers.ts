import { ok, type Result } from "#snapshots/problem.ts";
import { topicMatch } from "#snapshots/topic-choice.ts";
import type { Surroundings } from "../connections.ts";
import { openCassandraSink } from "../cassandra/cassandra-sink.ts";
import { openDeadLetterTopic } from "../dead-letters/dead-letter-topic.ts";
import { openElasticsearchSink } from "../elasticsearch/elasticsearch-sink.ts";
import { openKafkaReader } from "../kafka/reader.ts";
import { openKafkaSink } from "../kafka/sink.ts";
import { openKafkaSource } from "../kafka/source.ts";
import type { Ports } from "./open-ports.ts";
import type { PipelineSpec, SinkChoice, Where } from "../pipeline-spec.ts";
import type { Patience, Sink, Source, TopicReader } from "../ports.ts";
import { gatherMs } from "../tuning.ts";

type Servers = Extract<Where, { kind: "servers" }>;

/** A pipeline's consumer group, and whose its table and index are. */
export function ownerOf({ environment, name }: PipelineSpec): string {
  return `${environment}:${name}`;
}

/** The adapters of a pipeline that runs on servers. */
export async function openServerPorts(
  spec: PipelineSpec,
  servers: Servers,
  surroundings: Surroundings,
): Promise<Result<Ports>> {
  const connection = servers.kafka;
  const reader = openServerReader(servers, surroundings);
  if (!reader.ok) return reader;
  const sinks = await openServerSinks(spec, servers, surroundings);
  if (!sinks.ok) return sinks;
  const group = `penstock.${spec.environment}.${spec.name}`;
  const openSource = (): Promise<Source> =>
    openKafkaSource({
      connection,
      surroundings,
      topics: topicMatch(spec.topic),
      group,
      gatherMs: gatherMs(spec.latencyMs),
      ...(spec.start === undefined ? {} : { start: spec.start }),
    });
  const ports: Ports = { openSource, sinks: sinks.value, reader: reader.value };
  const topic = spec.deadLetterTopic;
  if (topic === undefined) return ok(ports);
  const pipeline = ownerOf(spec);
  const deadLetters = await openDeadLetterTopic({ topic, pipeline, connection, surroundings });
  return deadLetters.ok ? ok({ ...ports, deadLetters: deadLetters.value }) : deadLetters;
}

export function openServerReader(
  { kafka }: Servers,
  surroundings: Surroundings,
  patience?: Patience,
): Result<TopicReader> {
  return openKafkaReader(kafka, surroundings, patience);
}

export async function openServerSinks(
  spec: PipelineSpec,
  servers: Servers,
  surroundings: Surroundings,
): Promise<Result<Sink[]>> {
  const sinks: Sink[] = [];
  for (const choice of spec.sinks)
    sinks.push(await openServerSink(choice, spec, servers, surroundings));
  return ok(sinks);
}

function openServerSink(
  choice: SinkChoice,
  spec: PipelineSpec,
  servers: Servers,
  surroundings: Surroundings,
): Promise<Sink> {
  const owner = ownerOf(spec);
  const { expiresAt, routing, gcGraceSeconds } = spec;
  const expiry = expiresAt === undefined ? {} : { expiresAt };
  if (typeof choice !== "string") {
    const { topic } = choice;
    return openKafkaSink({ name: topic, topic, connection: servers.kafka, surroundings });
  }
  if (choice === "table" && servers.cassandra !== undefined)
    return openCassandraSink({
      name: "table",
      connection: servers.cassandra,
      surroundings,
      table: spec.name,
      owner,
      ...expiry,
      ...(gcGraceSeconds === undefined ? {} : { gcGraceSeconds }),
    });
  if (choice === "search" && servers.elasticsearch !== undefined)
    return openElasticsearchSink({
      name: "search",
      owner,
      connection: servers.elasticsearch,
      surroundings,
      index: spec.name.toLowerCase(),
      ...expiry,
      ...(routing === undefined ? {} : { routing }),
    });
  // Environments are checked when they are read (environments.ts).
  throw new Error(`${owner} writes to ${choice}, but its environment names no server for it`);
}
