import { join } from "node:path";
import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Surroundings } from "../connections.ts";
import type { DeadLetter } from "../dead-letters/dead-letters.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import { openFileTopicReader } from "../embedded/file-reader.ts";
import { openFileSource } from "../embedded/file-source.ts";
import { sinkName, type PipelineSpec } from "../pipeline-spec.ts";
import type { Patience, Sink, Source, TopicReader } from "../ports.ts";

/** What a pipeline reads from and writes to, open. */
export type Ports = {
  /** Takes part in the reading, until it is closed: only who polls it should have it open, since the other workers wait for one that does not. */
  openSource(): Promise<Source>;
  sinks: Sink[];
  reader: TopicReader;
  /** Where dead letters go besides the state database; they are durable when `send` resolves. */
  deadLetters?: {
    send(letters: readonly DeadLetter[]): Promise<Problem | undefined>;
    close(): Promise<void>;
  };
};

/** Folders of the embedded environments. */
export type Folders = { topics: string; sinks: string };

/** `root`: the workspace, where certificates and the like are named from. */
export type PortsPlace = { folders: Folders; root: string };

/** Opens the adapters a pipeline's environment asks for. What was opened is closed again when something cannot be. */
export async function openPorts(spec: PipelineSpec, place: PortsPlace): Promise<Result<Ports>> {
  if (spec.where.kind === "servers")
    return (await servers()).openServerPorts(spec, spec.where, surroundingsOf(place));
  const sinks = await openSinks(spec, place);
  if (!sinks.ok) return sinks;
  const { topics } = place.folders;
  const { topic, start } = spec;
  if (typeof topic !== "string") throw new Error("an embedded pipeline reads one topic");
  return ok({
    openSource: async () => openFileSource(join(topics, topic), topic, start),
    sinks: sinks.value,
    reader: openFileTopicReader(topics),
  });
}

/** Sinks and topic alone, to be looked at without taking part in the reading. */
export async function openLook(
  spec: PipelineSpec,
  place: PortsPlace,
  patience: Patience,
): Promise<Result<Pick<Ports, "sinks" | "reader">>> {
  const reader = await openReader(spec, place, patience);
  if (!reader.ok) return reader;
  const sinks = await openSinks(spec, place);
  return sinks.ok ? ok({ sinks: sinks.value, reader: reader.value }) : sinks;
}

async function openReader(
  spec: PipelineSpec,
  place: PortsPlace,
  patience: Patience,
): Promise<Result<TopicReader>> {
  if (spec.where.kind === "embedded") return ok(openFileTopicReader(place.folders.topics));
  return (await servers()).openServerReader(spec.where, surroundingsOf(place), patience);
}

/** Their clients take half a second to load: only who has servers waits for it. */
const servers = () => import("./open-servers.ts");

/** At once: each may wait a while for a server that is silent. */
export async function closePorts({ sinks, reader, deadLetters }: Ports): Promise<void> {
  const open = [...sinks, reader, ...(deadLetters === undefined ? [] : [deadLetters])];
  await Promise.all(open.map((port) => port.close()));
}

export async function openSinks(spec: PipelineSpec, place: PortsPlace): Promise<Result<Sink[]>> {
  if (spec.where.kind === "servers")
    return (await servers()).openServerSinks(spec, spec.where, surroundingsOf(place));
  const expiry = spec.expiresAt === undefined ? {} : { expiresAt: spec.expiresAt };
  const sinks: Sink[] = [];
  try {
    for (const name of spec.sinks.map(sinkName)) {
      const path = join(place.folders.sinks, spec.environment, spec.name, `${name}.duckdb`);
      sinks.push(await openDuckdbSink({ name, path, ...expiry }));
    }
    return ok(sinks);
  } catch (cause) {
    for (const sink of sinks) await sink.close();
    return { ok: false, problem: cannotOpen(spec, cause) };
  }
}

export function surroundingsOf({ root }: { root: string }): Surroundings {
  return { root, variables: process.env };
}

function cannotOpen(spec: PipelineSpec, cause: unknown): Problem {
  const message = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
  return {
    code: "sink-not-opened",
    message: `The sinks of ${spec.environment}:${spec.name} could not be opened: ${message}`,
    hint: "Close what else holds the file (a DuckDB shell, another Penstock), then resume the pipeline.",
  };
}
