import { ProblemError } from "#snapshots/problem.ts";
import { read, type Client } from "./connect.ts";

/** The named release of a transform; its newest sound one where none is named. */
export async function pickRelease(
  api: Client["api"],
  transform: string,
  hash: string | undefined,
): Promise<string> {
  if (hash !== undefined) return hash;
  const { releases } = await read(api.releases.$get());
  const newest = releases.find((release) => release.transform === transform && !release.problem);
  if (newest) return newest.hash;
  throw new ProblemError({
    code: "release-unknown",
    message: `There is no release of ${transform} in this workspace.`,
    hint: `Build one first: penstock release ${transform}`,
  });
}
