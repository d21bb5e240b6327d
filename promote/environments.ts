import { isMap, isScalar, parseDocument } from "yaml";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Git } from "./git.ts";

const pipelineSchema = z.strictObject({
  release: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "a release is named by its whole hash, 64 hex digits"),
  topic: z.string().min(1),
  sinks: z.array(z.enum(["table", "search"])).min(1),
});

const environmentSchema = z.strictObject({
  kind: z.literal("embedded"),
  description: z.string().optional(),
  approvals: z.int().min(0).default(0),
  fourEyes: z.boolean().default(false),
  pipelines: z
    .record(z.string(), pipelineSchema)
    .nullish()
    .transform((pipelines) => pipelines ?? {}),
});

/** What a pipeline shall run: one release, reading one topic. */
export type DesiredPipeline = z.infer<typeof pipelineSchema>;

/** Desired state, as its file in Git says. `fourEyes`: who made a release may not approve it. */
export type Environment = { name: string } & z.infer<typeof environmentSchema>;

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
  if (parsed.success) return ok({ name, ...parsed.data });
  const issue = parsed.error.issues[0];
  return fail({
    code: "environment-invalid",
    message: `${file}: ${issue?.path.join(".") || "the file"}: ${issue?.message ?? "not understood"}.`,
    hint: "Put it right and commit the file.",
    at: { file },
  });
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
