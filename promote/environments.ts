import { isMap, isScalar, parseDocument, type Document } from "yaml";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { isAmongTopics } from "#snapshots/topic-choice.ts";
import { topicChoice, topicName } from "#snapshots/topic-schema.ts";
import type { Git } from "./git.ts";
import {
  cassandraSchema,
  elasticsearchSchema,
  kafkaSchema,
  registrySchema,
} from "./sync/connections.ts";

/** Twenty years, as for a time to live. */
const MAX_GC_GRACE_SECONDS = 630_720_000;

const pipelineSchema = z.strictObject({
  release: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "a release is named by its whole hash, 64 hex digits"),
  topic: topicChoice,
  sinks: z
    .array(z.union([z.enum(["table", "search"]), z.strictObject({ topic: topicName })]))
    .min(1),
  /** Where reading starts when nothing was ever committed; the beginning when absent. */
  start: z
    .union([
      z.enum(["earliest", "latest"]),
      z.strictObject({ at: z.iso.datetime() }),
      z.strictObject({
        offsets: z.record(
          z.string().regex(/^([\w.-]+\/)?\d+$/, "a partition is a number, or TOPIC/NUMBER"),
          z.int().min(0),
        ),
      }),
    ])
    .exactOptional(),
  /** Whether the topic's partitions were increased before the pipeline first reads it; its keys tell when absent. */
  partitionsAdded: z.boolean().exactOptional(),
  /** A topic that dead letters are sent to as well. */
  deadLetters: topicName.exactOptional(),
  /** Records gather for about this long, so that a batch is worth its cost. */
  latencyMs: z.int().min(10).max(60_000).exactOptional(),
  /** A timestamp column of the output; the sinks let go of a row when it has passed. */
  expiresAt: z.string().min(1).exactOptional(),
  /** A column of the identity whose value places a document of the search index on its shard. */
  routing: z.string().min(1).exactOptional(),
  /** How long the Cassandra table remembers deletes at least (docs/cassandra.md). */
  gcGraceSeconds: z.int().min(1).max(MAX_GC_GRACE_SECONDS).exactOptional(),
});

const common = {
  description: z.string().optional(),
  approvals: z.int().min(0).default(0),
  fourEyes: z.boolean().default(false),
  pipelines: z
    .record(z.string(), pipelineSchema)
    .nullish()
    .transform((pipelines) => pipelines ?? {}),
};

const environmentSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("embedded"), ...common }),
  z.strictObject({
    kind: z.literal("servers"),
    /** `separate`: only workers started with `penstock sync --environment NAME` run the pipelines. */
    workers: z.enum(["server", "separate"]).default("server"),
    kafka: kafkaSchema,
    cassandra: cassandraSchema.exactOptional(),
    elasticsearch: elasticsearchSchema.exactOptional(),
    registry: registrySchema.exactOptional(),
    ...common,
  }),
]);

/** What a pipeline shall run: one release, reading one topic. */
export type DesiredPipeline = z.infer<typeof pipelineSchema>;

/** Desired state, as its file in Git says. `fourEyes`: who made a release may not approve it. */
export type Environment = { name: string } & z.infer<typeof environmentSchema>;

/** The servers an environment's pipelines run on. */
export type Servers = Pick<
  Extract<Environment, { kind: "servers" }>,
  "kafka" | "cassandra" | "elasticsearch" | "registry"
>;

export function environmentPath(name: string): string {
  return `environments/${name}.yaml`;
}

/** One environment from its file's text. */
export function parseEnvironment(name: string, text: string): Result<Environment> {
  const file = environmentPath(name);
  const document = parseDocument(text, { prettyErrors: true });
  const broken = document.errors[0];
  if (broken) {
    return fail({
      code: "environment-invalid",
      message: `${file} is not valid YAML: ${broken.message.split("\n", 1)[0]}`,
      hint: "Put the line right and commit the file.",
      at: { file, ...(broken.linePos ? { line: broken.linePos[0].line } : {}) },
    });
  }
  const parsed = environmentSchema.safeParse(document.toJS() ?? {});
  const misfit = parsed.success ? misfitOf(parsed.data) : undefined;
  if (misfit !== undefined)
    return fail({
      code: "environment-invalid",
      message: `${file}: ${misfit.message}`,
      hint: misfit.hint,
      at: { file },
    });
  if (parsed.success) return ok({ name, ...parsed.data });
  const issue = parsed.error.issues[0];
  return fail({
    code: "environment-invalid",
    message: `${file}: ${issue?.path.join(".") || "the file"}: ${issue?.message ?? "not understood"}.`,
    hint: "Put it right and commit the file.",
    at: { file },
  });
}

type Misfit = { message: string; hint: string };

/** Why a pipeline cannot be asked for in an environment, whatever its file says of it now. */
export function pipelineMisfit(
  environment: Environment,
  name: string,
  pipeline: DesiredPipeline,
): Problem | undefined {
  const misfit = misfitOf({ ...environment, pipelines: { [name]: pipeline } });
  if (misfit === undefined) return undefined;
  const file = environmentPath(environment.name);
  return {
    code: "environment-invalid",
    ...misfit,
    message: `${file}: ${misfit.message}`,
    at: { file },
  };
}

/** A sink that has nowhere to write, or a setting of a sink that is not there. */
function misfitOf(environment: z.infer<typeof environmentSchema>): Misfit | undefined {
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
  environment: z.infer<typeof environmentSchema>,
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
  { kind }: z.infer<typeof environmentSchema>,
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

/** Why a file, as it stands in the workspace, cannot be changed by these: a half-finished edit is nothing to put anything into. */
export function uneditable(name: string, text: string): Problem | undefined {
  const { errors, contents } = parseDocument(text);
  if (errors.length === 0 && isMap(contents)) return undefined;
  const parsed = parseEnvironment(name, text);
  return parsed.ok ? undefined : { ...parsed.problem, code: "environment-unmovable" };
}

/** Moves an environment to servers; pipelines, approvals and comments stay as they are. */
export function withServers(text: string, servers: Servers): string {
  const document = parseDocument(text);
  document.set("kind", "servers");
  const { kafka, cassandra, elasticsearch, registry } = servers;
  for (const [key, value] of Object.entries({ kafka, cassandra, elasticsearch, registry })) {
    if (value === undefined) document.delete(key);
    else document.set(key, document.createNode(value));
  }
  putLast(document, "pipelines");
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The part that grows stands at the end. */
function putLast(document: Document, key: string): void {
  const { contents } = document;
  if (!isMap(contents)) return;
  const at = contents.items.findIndex((pair) => isScalar(pair.key) && pair.key.value === key);
  contents.items.push(...(at < 0 ? [] : contents.items.splice(at, 1)));
}

/** Brings an environment back to files in the workspace. */
export function withoutServers(text: string): string {
  const document = parseDocument(text);
  document.set("kind", "embedded");
  for (const key of ["workers", "kafka", "cassandra", "elasticsearch", "registry"])
    document.delete(key);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Sets what one pipeline runs; comments and everything else in the file stay as they are. */
export function withPipeline(text: string, name: string, pipeline: DesiredPipeline): string {
  const document = parseDocument(text);
  if (!isMap(document.get("pipelines"))) document.set("pipelines", document.createNode({}));
  const pipelines = document.get("pipelines");
  if (isMap(pipelines)) pipelines.flow = false;
  const before = document.getIn(["pipelines", name]);
  if (!isMap(before)) {
    document.setIn(["pipelines", name], document.createNode(pipeline));
  } else {
    for (const [key, value] of Object.entries(pipeline)) {
      const node = before.get(key, true);
      // Set in place, so that a comment beside the value stays.
      if (isScalar(node) && typeof value === "string") node.value = value;
      else if (JSON.stringify(node) !== JSON.stringify(value))
        before.set(key, document.createNode(value));
    }
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Takes a pipeline out: it shall not run here any more. */
export function withoutPipeline(text: string, name: string): string {
  const document = parseDocument(text);
  document.deleteIn(["pipelines", name]);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** An environment as HEAD has it: what counts is what was committed. */
export async function readEnvironment(git: Git, name: string): Promise<Result<Environment>> {
  const text = await git.show("HEAD", environmentPath(name));
  if (!text.ok) return text;
  if (text.value !== undefined) return parseEnvironment(name, text.value);
  const known = await environmentNames(git);
  return fail({
    code: "environment-unknown",
    message: `There is no environment ${JSON.stringify(name)} in this workspace's last commit.`,
    hint:
      known.length > 0 ? `Choose one of ${known.join(", ")}.` : "Commit environments/NAME.yaml.",
  });
}

export type Environments = {
  environments: Environment[];
  /** Files that are there and say nothing that can be understood. */
  broken: { name: string; problem: Problem }[];
  problems: Problem[];
  /** False when Git could not say which environments there are. */
  isComplete: boolean;
};

/** Every environment in HEAD; those that ask for fewer approvals come first, as releases pass through them. */
export async function listEnvironments(git: Git): Promise<Environments> {
  const environments: Environment[] = [];
  const broken: Environments["broken"] = [];
  const listed = await git.list("HEAD", "environments");
  if (!listed.ok) {
    const problems = (await git.head()) === undefined ? [] : [listed.problem];
    return { environments, broken, problems, isComplete: problems.length === 0 };
  }
  for (const name of namesIn(listed.value)) {
    const read = await readEnvironment(git, name);
    if (read.ok) environments.push(read.value);
    else broken.push({ name, problem: read.problem });
  }
  environments.sort((a, b) => a.approvals - b.approvals || (a.name < b.name ? -1 : 1));
  const problems = broken.map(({ problem }) => problem);
  return { environments, broken, problems, isComplete: true };
}

async function environmentNames(git: Git): Promise<string[]> {
  const listed = await git.list("HEAD", "environments");
  return listed.ok ? namesIn(listed.value) : [];
}

function namesIn(paths: string[]): string[] {
  return paths.flatMap((path) => /^environments\/([^/]+)\.yaml$/.exec(path)?.[1] ?? []);
}
