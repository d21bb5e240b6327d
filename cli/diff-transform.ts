import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { InvalidArgumentError } from "commander";
import type { Comparison, Version } from "#promote/compare.ts";
import { answerOf } from "#promote/report/report.ts";
import type { DiffRow } from "#snapshots/diff.ts";
import { sendWhole } from "#snapshots/output-file.ts";
import { ProblemError } from "#snapshots/problem.ts";
import type { ReviewState } from "#promote/review/answer.ts";
import { comparisonLines, rowLine } from "./comparison-text.ts";
import { accepted, read, withConnection, type Client } from "./connect.ts";
import { writeText, type Format } from "./diff-output.ts";
import { cancelled, follow, unlessCancelled } from "./follow.ts";
import { pickTransform } from "./pick-transform.ts";
import { count } from "./paint.ts";
import { openProgress } from "./progress.ts";
import { historyLines, reviewLines } from "./review-text.ts";
import { print, printJson, workspaceOf, type Common } from "./verb.ts";

export type TransformOptions = Common & {
  before: Version;
  after: Version;
  key?: string[];
  snapshot?: string;
  rows?: number;
  /** An earlier comparison: the beginning of its id. */
  since?: string;
  history?: boolean;
  format: Format;
  out?: string;
  rowsOut?: string;
};

export const versions = "git:REVISION, environment:NAME, release:HASH or working";
export const lastCommit: Version = { kind: "git", revision: "HEAD" };
export const workingCopy: Version = { kind: "working" };

/** The short form: two versions of one transform on one snapshot, with its metrics. Exit code 1 where the outputs differ. */
export function diffTransform(transform: string, options: TransformOptions): Promise<void> {
  return withConnection(workspaceOf(options), async ({ api }) => {
    const progress = openProgress({ isSilent: options.json ?? false });
    const signal = cancelled();
    const { before, after, snapshot } = options;
    const key = options.key?.flatMap((names) => names.split(",").map((name) => name.trim()));
    const chosen = await pickTransform(api, transform);
    if (options.history) return printHistory(api, chosen, options.json ?? false);
    const json = {
      ...chosen,
      before,
      after,
      ...(key ? { key } : {}),
      ...(snapshot ? { snapshot } : {}),
    };
    const comparison = await follow<Comparison>(
      api.compare.$post({ json }, { init: { signal } }),
      progress.step,
    ).finally(() => progress.end());
    if (!comparison.summary.identical) process.exitCode = 1;
    if (options.rowsOut !== undefined) await saveRows(api, comparison.id, options.rowsOut, signal);
    if (options.format !== "text" && !options.json)
      return printReport(api, comparison, { format: options.format, out: options.out, signal });
    const review = await unlessCancelled(signal, reviewOf(api, comparison.id, options.since));
    const differing = options.rows ? await firstRows(api, comparison.id, options.rows) : undefined;
    if (options.json)
      return printJson({ ...comparison, review, ...(differing ? { differing } : {}) });
    const rows = differing ? ["", ...differing.map(rowLine)] : [];
    const lines = [...comparisonLines(comparison), ...reviewLines(review), ...rows];
    const text = `${lines.join("\n")}\n`;
    const told = options.out === undefined ? text : stripVTControlCharacters(text);
    writeText(told, answerOf(comparison.summary), options.out);
  });
}

/** The same report as a page's Export gives. */
async function printReport(
  api: Client["api"],
  { id, summary }: Comparison,
  {
    format,
    out,
    signal,
  }: { format: Exclude<Format, "text">; out: string | undefined; signal: AbortSignal },
): Promise<void> {
  const asked = api.compare[":id"].report.$get(
    { param: { id }, query: { format } },
    { init: { signal } },
  );
  const response = await unlessCancelled(signal, accepted(asked));
  writeText(await response.text(), answerOf(summary), out);
}

/** Every row that differs, through a file of our own: it arrives whole. */
async function saveRows(
  api: Client["api"],
  id: string,
  rowsOut: string,
  signal: AbortSignal,
): Promise<void> {
  const file = resolve(rowsOut);
  const format = /\.csv$/i.test(file) ? "csv" : "parquet";
  const asked = api.compare[":id"].export.$get(
    { param: { id }, query: { format } },
    { init: { signal } },
  );
  const response = await unlessCancelled(signal, accepted(asked));
  const folder = await mkdtemp(join(tmpdir(), "penstock-rows-"));
  try {
    const made = join(folder, "rows");
    await writeFile(made, response.body ?? "", { signal });
    const problem = await sendWhole(made, file);
    if (problem) throw new ProblemError(problem);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const rows = count(Number(response.headers.get("x-rows")));
  process.stderr.write(`All ${rows} differing rows are in ${file}\n`);
}

async function firstRows(api: Client["api"], id: string, limit: number): Promise<DiffRow[]> {
  const query = { limit: String(Math.min(limit, 1000)) };
  const page = await read(api.compare[":id"].rows.$get({ param: { id }, query }));
  // What JSON carries of a row (docs/types.md) is what it is here.
  return page.rows as DiffRow[];
}

async function reviewOf(
  api: Client["api"],
  id: string,
  since: string | undefined,
): Promise<ReviewState> {
  const query = since === undefined ? {} : { since: await wholeId(api, id, since) };
  const review = await read(api.compare[":id"].review.$get({ param: { id }, query }));
  // As of rows: keys are what JSON carries of them.
  return review as ReviewState;
}

/** The id in the transform's history that begins so. */
async function wholeId(api: Client["api"], id: string, beginning: string): Promise<string> {
  const { notebook, transform } = await read(api.compare[":id"].$get({ param: { id } }));
  const { comparisons } = await read(
    api.compare.history.$get({ query: { notebook, transform, limit: "1000" } }),
  );
  const found = comparisons.filter((each) => each.id.startsWith(beginning));
  const [only] = found;
  if (only && found.length === 1) return only.id;
  throw new ProblemError({
    code: "comparison-not-found",
    message: `${found.length === 0 ? "No comparison" : "More than one comparison"} of ${transform} has an id that begins with ${beginning}.`,
    hint: `\`penstock diff ${transform} --history\` lists them.`,
  });
}

async function printHistory(
  api: Client["api"],
  query: { notebook: string; transform: string },
  isJson: boolean,
): Promise<void> {
  const { comparisons } = await read(api.compare.history.$get({ query }));
  if (isJson) return printJson({ comparisons });
  if (comparisons.length > 0) return print(historyLines(comparisons).join("\n"));
  print(`${query.transform} was not compared yet. \`penstock diff ${query.transform}\` does.`);
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
