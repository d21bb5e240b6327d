import type { Command } from "commander";
import { visible } from "#promote/report/value.ts";
import { ProblemError } from "#snapshots/problem.ts";
import type { Repair } from "#promote/sync/sync.ts";
import type { SinkVerdict, VerifyReport } from "#promote/sync/verify/verify.ts";
import { name as nameSchema } from "#web/api/door.ts";
import { withConnection } from "./connect.ts";
import { columns } from "./columns.ts";
import { cancelled, follow, unlessCancelled } from "./follow.ts";
import { count, counted, paint } from "./paint.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { waitingText, waitsFor, type WaitsFor } from "./waits-for.ts";

type Options = Common & { repair?: boolean; yes?: boolean };

/** `penstock verify ENVIRONMENT:PIPELINE [--repair [--yes]]`; exit code 1 where a sink differs. */
export function verifyVerb(program: Command): void {
  verb(
    program,
    "verify <pipeline>",
    "Read the sinks back and compare them with a batch run of the topic.",
    ["verify production:delays", "verify production:delays --repair"],
  )
    .option("--repair", "plan the writes that would heal every difference")
    .option("--yes", "with --repair: carry the plan out, in a new epoch")
    .action(async (pipeline: string, options: Options) => {
      const param = pipelineOf(pipeline);
      if (options.yes === true && options.repair !== true) throw new ProblemError(yesAlone());
      const workspace = workspaceOf(options);
      const progress = openProgress({ isSilent: options.json ?? false });
      progress.show(`Verifying ${pipeline}`);
      const signal = cancelled();
      const init = { init: { signal } };
      const told = <T>(request: Parameters<typeof follow>[0]): Promise<T> =>
        unlessCancelled(signal, follow<T>(request, show)).finally(() => progress.end());
      const show = ({ step }: { step?: string }): void =>
        progress.show(`Verifying ${pipeline}: ${step ?? ""}`);
      await withConnection(workspace, async (connection) => {
        const routes = connection.api.pipelines[":env"][":name"];
        if (options.repair === true) {
          const json = { apply: options.yes === true };
          const repair = await told<Repair>(routes.repair.$post({ param, json }, init));
          return tellRepair(repair, await waitsFor(connection, param), options);
        }
        const request = routes.verify.$post({ param, json: {} }, init);
        tellReport(await told<VerifyReport>(request), options);
      }).finally(() => progress.end());
    });
}

/** `ENVIRONMENT:PIPELINE` as the API's path has it. */
export function pipelineOf(text: string): { env: string; name: string } {
  const [env, name, more] = text.split(":");
  if (isName(env) && isName(name) && more === undefined) return { env, name };
  throw new ProblemError({
    code: "usage",
    message: `${JSON.stringify(text)} names no pipeline.`,
    hint: "Say ENVIRONMENT:PIPELINE, for example production:delays.",
  });
}

function isName(text: string | undefined): text is string {
  return nameSchema.safeParse(text).success;
}

function yesAlone() {
  return {
    code: "usage",
    message: "--yes carries out a repair, and no repair is asked for.",
    hint: "Say --repair --yes, or leave --yes out to verify only.",
  };
}

function tellReport(report: VerifyReport, options: Options): void {
  if (!report.isEqual) process.exitCode = 1;
  if (options.json) return printJson(report);
  printReport(report);
}

function tellRepair(
  { report, plan, isApplied }: Repair,
  waiting: WaitsFor | null,
  options: Options,
): void {
  const isWriting = plan.partitions.length + plan.clears > 0;
  const isNeeded = isWriting || plan.strays.length > 0;
  if (isNeeded && !isApplied) process.exitCode = 1;
  const waits = isApplied && isWriting ? waiting : null;
  if (options.json) return printJson({ report, plan, isApplied, waitsFor: waits });
  printReport(report);
  if (!isNeeded) return print("Nothing to repair.");
  const writes = plan.partitions.map(
    ({ topic, partition, identities }) =>
      `  ${counted(identities, "row")} of ${topic}/${partition} written again from their records`,
  );
  print(
    isApplied
      ? "Asked of the pipeline, in a new epoch:"
      : "A repair would do this, in a new epoch:",
  );
  for (const line of writes) print(line);
  if (plan.clears > 0)
    print(`  ${counted(plan.clears, "row")} cleared that no record accounts for`);
  for (const { sink, documents } of plan.strays)
    print(`  ${counted(documents, "document")} of ${sink} deleted, of no identity`);
  if (waits !== null) print(waitingText[waits]);
  if (!isApplied) print("Say it again with --repair --yes to carry it out.");
}

function printReport(report: VerifyReport): void {
  const offsets = report.cut.map(
    ({ topic, partition, from, to }) => `${topic}/${partition}: ${from}–${to}`,
  );
  print(
    `${report.environment}:${report.name}, release ${report.release.slice(0, 6)}, offsets ${offsets.join(", ")}`,
  );
  const rows = report.sinks.map(({ sink, isEqual, counts: c }) => [
    sink,
    isEqual ? paint("green", "equal") : paint("red", "differs"),
    ...[
      c.left,
      c.right,
      c.equal,
      c.changed,
      c.added,
      c.removed,
      c.unverifiable,
      c.moving.right,
    ].map(count),
  ]);
  const titles = [
    "sink",
    "",
    ">should",
    ">is",
    ">equal",
    ">changed",
    ">added",
    ">removed",
    ">unverifiable",
    ">moving",
  ];
  for (const line of columns(titles, rows)) print(line);
  for (const sink of report.sinks) printDifferences(sink);
}

function printDifferences({ sink, counts, differences }: SinkVerdict): void {
  const all = counts.changed + counts.added + counts.removed;
  if (all === 0) return;
  print("");
  print(
    `${sink}: ${counted(all, "difference")}${differences.length < all ? `, the first ${differences.length}` : ""}`,
  );
  for (const { kind, key, part, stray, topic, expected, found } of differences) {
    print(
      stray === undefined
        ? `  ${kind} ${visible(key)}${part > 0 ? ` part ${part}` : ""}`
        : `  ${kind} document ${visible(JSON.stringify(stray))}: its id is no key of this pipeline's; somebody else wrote it`,
    );
    if (expected)
      print(
        `    should be ${shown(expected.row)}  (${topic}/${expected.partition}/${expected.offset})`,
      );
    if (found) print(`    is        ${shown(found.row)}`);
  }
}

/** A ledger's row as `{a: 1, b: 2}`, within a line. */
function shown(row: string): string {
  const pairs = JSON.parse(row) as [string, unknown][]; // ledger-rows.ts writes pairs
  const text = visible(pairs.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(", "));
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}
