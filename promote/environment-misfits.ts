import { isAmongTopics } from "#snapshots/topic-choice.ts";
import type { DesiredPipeline, Environment } from "./environment-schema.ts";

/** What an environment's file says in one part and another does not allow. */
export type Misfit = { message: string; hint: string };
/** A sink that has nowhere to write, or a setting of a sink that is not there. */
export function misfitOf(environment: Environment): Misfit | undefined {
  for (const [name, pipeline] of Object.entries(environment.pipelines)) {
    const misfit =
      missingServer(environment, name, pipeline) ??
      missingSink(environment, name, pipeline) ??
      misfitOfTopics(name, pipeline);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

function missingServer(
  environment: Environment,
  name: string,
  { topic, sinks, deadLetters, partitionsAdded }: DesiredPipeline,
): Misfit | undefined {
  const hint = "Add its address, or take the sink away, and commit the file.";
  if (environment.kind === "embedded") {
    const only = "which only an environment of servers has.";
    if (typeof topic !== "string")
      return {
        message: `${name} reads several topics, ${only}`,
        hint: "Name one topic and commit the file.",
      };
    if (sinks.some((sink) => typeof sink !== "string"))
      return { message: `${name} writes to a topic, ${only}`, hint };
    if (deadLetters !== undefined)
      return {
        message: `${name} sends its dead letters to the topic ${deadLetters}, ${only}`,
        hint: "Take `deadLetters` away and commit the file: the workspace keeps them in any case.",
      };
    if (partitionsAdded !== undefined)
      return {
        message: `${name} sets \`partitionsAdded\`, which is for topics of Kafka: one of files has one partition.`,
        hint: "Take `partitionsAdded` away and commit the file.",
      };
    return undefined;
  }
  if (sinks.includes("table") && environment.cassandra === undefined)
    return { message: `${name} writes to a table, but no \`cassandra\` is named.`, hint };
  if (sinks.includes("search") && environment.elasticsearch === undefined)
    return {
      message: `${name} writes to a search index, but no \`elasticsearch\` is named.`,
      hint,
    };
  return undefined;
}

/** A pipeline that reads what it writes, and an offset of a topic that is not said or not read. */
function misfitOfTopics(
  name: string,
  { topic, sinks, deadLetters, start }: DesiredPipeline,
): Misfit | undefined {
  const isRead = isAmongTopics(topic);
  const written = sinks.flatMap((sink) => (typeof sink === "string" ? [] : [sink.topic]));
  const own = [...written, ...(deadLetters === undefined ? [] : [deadLetters])].find(isRead);
  if (own !== undefined)
    return {
      message: `${name} reads the topic ${own} and writes to it: its own records would come back to it for ever.`,
      hint: "Write to another topic, or take it out of those that are read, and commit the file.",
    };
  if (typeof start !== "object" || !("offsets" in start)) return undefined;
  const lost = Object.keys(start.offsets).find((place) => {
    const [of, partition] = place.split("/");
    return partition === undefined ? typeof topic !== "string" : !isRead(of ?? "");
  });
  if (lost === undefined) return undefined;
  return {
    message: `${name} starts at an offset of ${lost}, which is no partition of what it reads.`,
    hint: "Write TOPIC/PARTITION with a topic that the pipeline reads, and commit the file.",
  };
}

const SETTINGS = [
  { setting: "routing", sink: "search", of: "a search index in Elasticsearch" },
  { setting: "gcGraceSeconds", sink: "table", of: "a table in Cassandra" },
] as const;

function missingSink(
  { kind }: Environment,
  name: string,
  pipeline: DesiredPipeline,
): Misfit | undefined {
  const found = SETTINGS.find(
    ({ setting, sink }) =>
      pipeline[setting] !== undefined && (kind === "embedded" || !pipeline.sinks.includes(sink)),
  );
  if (found === undefined) return undefined;
  const { setting, of } = found;
  return {
    message: `${name} sets \`${setting}\`, which is for ${of}; it writes to none here.`,
    hint: `Take ${setting} away, or add that sink, and commit the file.`,
  };
}
