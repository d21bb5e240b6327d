import type { Command } from "commander";
import { z } from "zod";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { columns } from "./columns.ts";
import { read, withConnection } from "./connect.ts";
import { problemText } from "./explain.ts";
import { count, paint } from "./paint.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { only?: string[] };

/** `penstock environments [use stack|embedded]` */
export function environmentsVerb(program: Command): void {
  const environments = verb(
    program,
    "environments",
    "List the environments: what each shall run, and where.",
    ["environments", "environments use stack", "environments use embedded --only staging"],
  ).action((options: Options) => list(options));
  environments
    .command("use <where>")
    .description(
      "Move environments to the servers of `npm run stack` (stack), or back to files in the workspace (embedded): one commit.",
    )
    .option("--only <environment...>", "just these (default: all)")
    .option("-w, --workspace <dir>", "the workspace")
    .option("--json", "print JSON")
    .action((where: string, _: unknown, command: Command) => use(where, command.optsWithGlobals()));
}

function list(options: Options): Promise<void> {
  return withConnection(workspaceOf(options), async ({ api }) => {
    const { environments, problems } = await read(api.environments.$get());
    if (options.json) return printJson({ environments, problems });
    const rows = environments.map((environment) => [
      environment.name,
      environment.kind === "servers" ? environment.kafka.brokers.join(",") : "embedded",
      environment.kind === "servers" && environment.workers === "separate" ? "separate" : "server",
      count(environment.approvals),
      Object.entries(environment.pipelines)
        .map(([name, { release }]) => `${name} ${release.slice(0, 6)}`)
        .join(", ") || "nothing",
    ]);
    for (const line of columns(["name", "runs on", "workers", ">approvals", "should run"], rows))
      print(line);
    for (const { message } of problems)
      process.stderr.write(`${paint("yellow", "problem:", process.stderr)} ${message}\n`);
  });
}

async function use(where: string, options: Options): Promise<void> {
  const to = where === "embedded" ? where : await addressesOf(where);
  await withConnection(workspaceOf(options), async ({ api }) => {
    const moved = await read(
      api.environments.use.$post({
        json: { to, ...(options.only ? { environments: options.only } : {}) },
      }),
    );
    if (moved.problems.length > 0) process.exitCode = 1;
    if (options.json) return printJson(moved);
    print(`${moved.summary}${moved.commit ? `  commit ${moved.commit.slice(0, 7)}` : ""}`);
    for (const { environment, problem } of moved.problems)
      process.stderr.write(`${environment}: ${problemText(problem as Problem)}\n`);
  });
}

/** What the demo's pipelines need; a registry comes along where there is one. */
const NEEDED = ["kafka", "cassandra", "elasticsearch"] as const;
const stackAddresses = z.object({
  kafka: z.string(),
  cassandra: z.string(),
  elasticsearch: z.string(),
  registry: z.string().exactOptional(),
});

async function addressesOf(where: string): Promise<z.infer<typeof stackAddresses>> {
  if (where !== "stack") {
    throw new ProblemError({
      code: "usage",
      message: `Environments cannot be moved to ${JSON.stringify(where)}.`,
      hint: "Say `use stack` or `use embedded`; other servers are named in environments/NAME.yaml.",
    });
  }
  const { addresses, stackStatus } = await import("../deploy/stack/stack.mjs");
  const known = addresses();
  const silent = (await stackStatus([...NEEDED, "registry"])).filter(
    ({ name, state }) => state !== "ready" && (name !== "registry" || known.registry !== undefined),
  );
  const parsed = stackAddresses.safeParse(known);
  if (silent.length === 0 && parsed.success) return parsed.data;
  const said = silent.map(({ name, state }) => `${name} (${state})`).join(", ");
  throw new ProblemError({
    code: "no-stack",
    message: NEEDED.every((name) => known[name] === undefined)
      ? "There are no servers to move to: the stack was not started."
      : `Not all servers of the stack answer: ${said}.`,
    hint: "Start them with `npm run stack -- start`, then say this again.",
  });
}
