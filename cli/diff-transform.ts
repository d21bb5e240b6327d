import { InvalidArgumentError } from "commander";
import type { Comparison, Version } from "#promote/compare.ts";
import type { DiffRow } from "#snapshots/diff.ts";
import { comparisonLines, rowLine } from "./comparison-text.ts";
import { read, withConnection } from "./connect.ts";
import { cancelled, follow } from "./follow.ts";
import { pickTransform } from "./pick-transform.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, workspaceOf, type Common } from "./verb.ts";

export type TransformOptions = Common & {
  before: Version;
  after: Version;
  key?: string[];
  snapshot?: string;
  rows?: number;
};

export const versions = "git:REVISION, environment:NAME, release:HASH or working";
export const lastCommit: Version = { kind: "git", revision: "HEAD" };
export const workingCopy: Version = { kind: "working" };

/** The short form: two versions of one transform on one snapshot, with its metrics. Exit code 1 where the outputs differ. */
export function diffTransform(transform: string, options: TransformOptions): Promise<void> {
  return withConnection(workspaceOf(options), async ({ api }) => {
    const progress = openProgress({ isSilent: options.json ?? false });
    const { before, after, snapshot } = options;
    const key = options.key?.flatMap((names) => names.split(",").map((name) => name.trim()));
    const chosen = await pickTransform(api, transform);
    const json = {
      ...chosen,
      before,
      after,
      ...(key ? { key } : {}),
      ...(snapshot ? { snapshot } : {}),
    };
    const comparison = await follow<Comparison>(
      api.compare.$post({ json }, { init: { signal: cancelled() } }),
      progress.step,
    ).finally(() => progress.end());
    if (!comparison.summary.identical) process.exitCode = 1;
    if (!options.rows) {
      if (options.json) return printJson(comparison);
      return print(comparisonLines(comparison).join("\n"));
    }
    const page = await read(
      api.compare[":id"].rows.$get({
        param: { id: comparison.id },
        query: { limit: String(Math.min(options.rows, 1000)) },
      }),
    );
    // What JSON carries of a row (docs/types.md) is what it is here.
    const differing = page.rows as DiffRow[];
    if (options.json) return printJson({ ...comparison, differing });
    print([...comparisonLines(comparison), "", ...differing.map(rowLine)].join("\n"));
  });
}

export function version(text: string): Version {
  if (text === "working") return workingCopy;
  const [kind, ...rest] = text.split(":");
  const value = rest.join(":");
  if (value && kind === "git") return { kind, revision: value };
  if (value && kind === "environment") return { kind, name: value };
  if (value && kind === "release") return { kind, hash: value };
  throw new InvalidArgumentError(`Give ${versions}.`);
}
