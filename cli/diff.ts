import { resolve } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import { durationNanoseconds, parseRules } from "#snapshots/diff-rules.ts";
import { unwritable } from "#snapshots/output-file.ts";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import { fileSide } from "#promote/diff-file.ts";
import { formats, writeReport } from "./diff-output.ts";
import type { SidesOptions } from "./diff-sides.ts";
import {
  diffTransform,
  lastCommit,
  version,
  versions,
  workingCopy,
  type TransformOptions,
} from "./diff-transform.ts";
import { wholeNumber } from "./freeze.ts";
import { verb } from "./verb.ts";

type Options = TransformOptions &
  Omit<SidesOptions, "rules" | "rowsOut"> & { tolerance?: string[] };

const sides = `
A side is a file (Parquet, CSV, JSON lines, Arrow, file.duckdb#schema.table), a snapshot by name,
an output by the beginning of its hash, notebook.ts#name[@REVISION] (a transform or table, run at
that commit or as the file is), or what an environment runs: environment:transform. Two files need
no workspace.

With one argument it is short for two versions of that transform: \`diff delays\` compares
delays.ts#delays@HEAD with delays.ts#delays on one snapshot, and its metrics with it.
Exit codes: 0 identical, 1 different, 2 could not compare.`;

/** Flags that belong to one of the two forms. */
const onlyShort = ["before", "after", "snapshot", "rows", "since", "history"];
const onlySides = ["ignore", "tolerance", "where", "samples", "budget", "stopAfter", "causes"];

/** `penstock diff LEFT RIGHT`, and `penstock diff TRANSFORM` for two versions of it; exit code 1 where they differ. */
export function diffVerb(program: Command): void {
  const command = verb(
    program,
    "diff <left> [right]",
    "Compare two tables row by row, or two versions of a transform.",
    [
      "diff old.parquet new.parquet --key id",
      "diff flights@2001q1 export.csv --key date --key flight --tolerance delay=abs:0.5",
      "diff production:delays delays.ts#delays --format html --out diff.html",
      "diff delays",
      "diff delays --before environment:production --after working",
      "diff delays --history",
    ],
  );
  command
    .addHelpText("after", sides)
    .option(
      "--key <column>",
      "pair rows by this column; repeat it for more (default: the declared key, else their place in one snapshot, else whole rows)",
      more,
    )
    .option("--ignore <column>", "leave a column out; repeat it for more", more)
    .option(
      "--tolerance <rule>",
      "COLUMN=RULE[,RULE]: abs:0.01, rel:1e-6, duration:5s, trim, case, nfc, set; *= for every column",
      more,
    )
    .option("--where <sql>", "compare only the rows that meet this predicate, on both sides")
    .option("--samples <number>", "show so many rows of each kind", wholeNumber, 20)
    .option("--budget <time>", "count and search no longer than this: 10s, 1m30s", budget)
    .option(
      "--stop-after <number>",
      "stop counting when so many differences were found",
      wholeNumber,
    )
    .option("--no-causes", "do not search for what explains the differences")
    .addOption(new Option("--format <format>", "how to tell it").choices(formats).default("text"))
    .option("--out <file>", "write the report there instead of printing it")
    .option(
      "--rows-out <file>",
      "write every differing row there: FILE.parquet or FILE.csv",
      rowsFile,
    )
    .addOption(
      new Option("--before <version>", `one argument only: ${versions}`)
        .argParser(version)
        .default(lastCommit, "git:HEAD, the last commit"),
    )
    .addOption(
      new Option("--after <version>", "likewise")
        .argParser(version)
        .default(workingCopy, "working, the file as it is"),
    )
    .option(
      "--snapshot <name>",
      "one argument only: compare on this one (default: what the later version reads)",
    )
    .option(
      "--rows <number>",
      "one argument only: print up to 1000 of the rows that differ",
      wholeNumber,
    )
    .option(
      "--since <id>",
      "one argument only: hold it against this earlier comparison (default: the last that was reviewed)",
    )
    .option("--history", "one argument only: list the transform's comparisons instead")
    .action(async (left: string, right: string | undefined, options: Options) => {
      refuse(command, right === undefined ? onlySides : onlyShort, left, right);
      const { tolerance = [], format, out, ...rest } = options;
      // Before everything is compared for nothing.
      for (const file of [out, rest.rowsOut]) {
        const problem = file === undefined ? undefined : unwritable(resolve(file));
        if (problem) throw new ProblemError(problem);
      }
      if (right === undefined) return diffTransform(left, options);
      const rules = unwrap(parseRules(tolerance));
      const chosen = options.json ? "json" : format;
      // Only now: the other verbs, which load this one, should not wait for all it needs.
      const { diffSides } = await import("./diff-sides.ts");
      const report = await diffSides(left, right, { ...rest, rules });
      writeReport(report, chosen, out);
      if (!report.summary.identical) process.exitCode = 1;
    });
}

function refuse(command: Command, flags: string[], left: string, right: string | undefined): void {
  if (right === undefined && unwrap(fileSide(left, process.cwd()))) {
    throw new ProblemError({
      code: "side-missing",
      message: `${left} is one side; there is no other to compare it with.`,
      hint: `Name two: penstock diff ${left} OTHER.`,
    });
  }
  const given = flags.find((flag) => command.getOptionValueSource(flag) === "cli");
  if (given === undefined) return;
  const flag = command.options.find((option) => option.attributeName() === given)?.long ?? given;
  throw new ProblemError(
    right === undefined
      ? {
          code: "flag-unfit",
          message: `${flag} needs two sides; ${left} alone is two versions of a transform.`,
          hint: `Name both: penstock diff ${left}.ts#${left}@HEAD ${left}.ts#${left} ${flag} ….`,
        }
      : {
          code: "flag-unfit",
          message: `${flag} is for one argument, a transform; here are two sides.`,
          hint: "Say the version in the side: notebook.ts#name@REVISION or environment:name.",
        },
  );
}

function more(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function rowsFile(text: string): string {
  if (/\.(?:parquet|csv)$/i.test(text)) return text;
  throw new InvalidArgumentError("Give a file whose name ends in .parquet or .csv.");
}

function budget(text: string): number {
  const ns = durationNanoseconds(text);
  if (ns !== undefined && ns >= 1_000_000n) return Number(ns / 1_000_000n);
  throw new InvalidArgumentError("Give a time of 1 ms or more, as 10s, 500ms or 1m30s.");
}
