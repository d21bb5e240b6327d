import { InvalidArgumentError, Option, type Command } from "commander";
import type { Comparison, Version } from "#promote/compare.ts";
import type { DiffRow } from "#snapshots/diff.ts";
import { comparisonLines, rowLine } from "./comparison-text.ts";
import { read, withConnection } from "./connect.ts";
import { cancelled, follow } from "./follow.ts";
import { wholeNumber } from "./freeze.ts";
import { pickTransform } from "./pick-transform.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & {
  before: Version;
  after: Version;
  key?: string[];
  snapshot?: string;
  rows?: number;
};

const versions = "git:REVISION, environment:NAME, release:HASH or working";
const lastCommit: Version = { kind: "git", revision: "HEAD" };
const workingCopy: Version = { kind: "working" };

/** `penstock diff TRANSFORM_OR_NOTEBOOK [--before …] [--after …]`; exit code 1 where the outputs differ. */
export function diffVerb(program: Command): void {
  const command = verb(
    program,
    "diff <transform>",
    "Compare what two versions of a transform make of one snapshot.",
    [
      "diff delays",
      "diff delays --before environment:production --after working",
      "diff delays --before git:HEAD~1 --after release:8c41d0 --rows 20",
    ],
  );
  const side = (flag: string, what: string) => new Option(`${flag} <version>`, what);
  command
    .addOption(
      side("--before", versions)
        .argParser(version)
        .default(lastCommit, "git:HEAD, the last commit"),
    )
    .addOption(
      side("--after", "likewise")
        .argParser(version)
        .default(workingCopy, "working, the file as it is"),
    )
    .option("--key <columns>", "pair rows by these (default: by their place in the snapshot)", list)
    .option("--snapshot <name>", "compare on this one (default: what the later version reads)")
    .option("--rows <number>", "print up to 1000 of the rows that differ", wholeNumber)
    .action((transform: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const progress = openProgress({ isSilent: options.json ?? false });
        const { before, after, key, snapshot } = options;
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
      }),
    );
}

function version(text: string): Version {
  if (text === "working") return workingCopy;
  const [kind, ...rest] = text.split(":");
  const value = rest.join(":");
  if (value && kind === "git") return { kind, revision: value };
  if (value && kind === "environment") return { kind, name: value };
  if (value && kind === "release") return { kind, hash: value };
  throw new InvalidArgumentError(`Give ${versions}.`);
}

function list(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}
