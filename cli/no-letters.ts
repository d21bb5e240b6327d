import { ProblemError } from "#snapshots/problem.ts";
import { read, type Connection } from "./connect.ts";

/** That a pipeline has no dead letters; an environment that is not there is named as such. */
export async function noLettersOf(
  { api }: Connection,
  pipeline: string,
  env: string,
): Promise<string> {
  const { environments } = await read(api.environments.$get());
  const names = environments.map(({ name }) => name);
  if (names.includes(env)) return `There are no dead letters of ${pipeline}.`;
  throw new ProblemError({
    code: "environment-unknown",
    message: `There is no environment ${JSON.stringify(env)} in this workspace's last commit.`,
    hint: names.length > 0 ? `Choose from ${names.join(", ")}.` : "Commit environments/NAME.yaml.",
  });
}
