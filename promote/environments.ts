import { isMap, parseDocument } from "yaml";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { misfitOf } from "./environment-misfits.ts";
import { environmentSchema, type DesiredPipeline, type Environment } from "./environment-schema.ts";
import type { Git } from "./git.ts";

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
  const misfit = parsed.success ? misfitOf({ name, ...parsed.data }) : undefined;
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

/** Why a file, as it stands in the workspace, cannot be changed by these: a half-finished edit is nothing to put anything into. */
export function uneditable(name: string, text: string): Problem | undefined {
  const { errors, contents } = parseDocument(text);
  if (errors.length === 0 && isMap(contents)) return undefined;
  const parsed = parseEnvironment(name, text);
  return parsed.ok ? undefined : { ...parsed.problem, code: "environment-unmovable" };
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
