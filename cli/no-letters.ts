import { ProblemError } from "#snapshots/problem.ts";
import { read, type Connection } from "./connect.ts";

/** That a pipeline has no dead letters; one that nobody asks for, or an environment that is not there, is named as such. */
export async function noLettersOf(
  { api }: Connection,
  { env, name }: { env: string; name: string },
): Promise<string> {
  const { environments } = await read(api.environments.$get());
  const environment = environments.find((one) => one.name === env);
  if (environment === undefined) {
    const names = environments.map((one) => one.name);
    throw new ProblemError({
      code: "environment-unknown",
      message: `There is no environment ${JSON.stringify(env)} in this workspace's last commit.`,
      hint:
        names.length > 0 ? `Choose from ${names.join(", ")}.` : "Commit environments/NAME.yaml.",
    });
  }
  const pipelines = Object.keys(environment.pipelines);
  if (pipelines.includes(name)) return `There are no dead letters of ${env}:${name}.`;
  throw new ProblemError({
    code: "pipeline-unknown",
    message: `There are no dead letters of ${env}:${name}, and the environment ${env} asks for no such pipeline.`,
    hint: `It asks for ${pipelines.length > 0 ? pipelines.join(", ") : "none"}.`,
  });
}
