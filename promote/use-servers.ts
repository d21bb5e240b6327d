import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { withoutServers, withServers } from "./environment-edits.ts";
import type { Servers } from "./environment-schema.ts";
import { environmentPath, listEnvironments, parseEnvironment, uneditable } from "./environments.ts";
import type { Workbench } from "./workbench.ts";

/** Plain addresses of one set of servers, such as `npm run stack` starts. */
export const addressesSchema = z.strictObject({
  kafka: z.string().min(1),
  cassandra: z.string().min(1).exactOptional(),
  elasticsearch: z.string().min(1).exactOptional(),
  registry: z.string().min(1).exactOptional(),
});
export type Addresses = z.infer<typeof addressesSchema>;

export type Moved = {
  environments: string[];
  commit: string | null;
  summary: string;
  problems: { environment: string; problem: Problem }[];
};

/**
 * Moves environments to servers, or back to files in the workspace (`embedded`), in one commit; their pipelines follow. Approvals, releases and
 * comments stay as they are. What the sinks of one place hold is not carried to the other: a pipeline begins there at its topic's start. Its counts go on: they are
 * of all it has read, wherever that was, as its dead letters are.
 */
export async function useServers(request: {
  workbench: Workbench;
  to: Addresses | "embedded";
  /** All environments when absent. */
  names?: readonly string[] | undefined;
}): Promise<Result<Moved>> {
  const { workbench, to } = request;
  const { environments, problems } = await listEnvironments(workbench.git);
  const names = request.names ?? environments.map(({ name }) => name);
  const unknown = names.find((name) => !environments.some((known) => known.name === name));
  if (unknown !== undefined) {
    return fail(
      problems.find(({ at }) => at?.file === environmentPath(unknown)) ?? {
        code: "environment-unknown",
        message: `There is no environment ${JSON.stringify(unknown)} in this workspace's last commit.`,
        hint: `Choose from ${environments.map(({ name }) => name).join(", ")}.`,
      },
    );
  }
  const edit = (name: string, text: string): string =>
    to === "embedded" ? withoutServers(text) : withServers(text, serversFor(name, to));
  const misfit = await firstMisfit(workbench, names, edit);
  if (misfit !== undefined) return fail(misfit);
  const where = to === "embedded" ? "files in the workspace" : `servers (Kafka at ${to.kafka})`;
  const committed = await workbench.git.commitFiles({
    files: async (head) => {
      const edited = await Promise.all(
        names.map(async (name): Promise<[string, string]> => {
          const path = environmentPath(name);
          return [path, edit(name, (await head.read(path)) ?? "")];
        }),
      );
      return Object.fromEntries(edited);
    },
    message: `Run ${names.join(" and ")} on ${where}`,
    author: await workbench.git.person(),
    at: workbench.now(),
  });
  if (!committed.ok) return committed;
  for (const name of names) {
    const file = join(workbench.workspace.root, environmentPath(name));
    const text = await readOwn(workbench.workspace, name);
    // A file with edits of its own follows too, so that its next commit does not undo the move.
    if (text !== undefined && edit(name, text) !== text) await writeFile(file, edit(name, text));
  }
  const { refused } = await workbench.reconcile();
  const commit = committed.value.commit ?? null;
  const moved = `now run on ${where}. What pipelines read there adds to their counts; what their sinks held stays where it was`;
  return ok({
    environments: [...names],
    commit,
    summary: `${names.join(" and ")} ${commit === null ? `already run on ${where}` : moved}.`,
    problems: refused
      .filter(({ environment }) => names.includes(environment))
      .map(({ environment, problem }) => ({ environment, problem })),
  });
}

/** A file as it stands in the workspace, whatever was committed. */
function readOwn({ root }: Workbench["workspace"], name: string): Promise<string | undefined> {
  return readFile(join(root, environmentPath(name)), "utf8").catch(() => undefined);
}

/** What an environment could not do in its new place, or a file that cannot follow: then none is moved. */
async function firstMisfit(
  { git, workspace }: Workbench,
  names: readonly string[],
  edit: (name: string, text: string) => string,
): Promise<Problem | undefined> {
  for (const name of names) {
    const text = await git.show("HEAD", environmentPath(name));
    const moved = parseEnvironment(name, edit(name, (text.ok ? text.value : undefined) ?? ""));
    if (!moved.ok) return { ...moved.problem, code: "environment-unmovable" };
    const own = await readOwn(workspace, name);
    const halfEdited = own === undefined ? undefined : uneditable(name, own);
    if (halfEdited !== undefined) return halfEdited;
  }
  return undefined;
}

/** Each environment has a keyspace, an index prefix and a consumer group of its own. */
function serversFor(environment: string, addresses: Addresses): Servers {
  const plain = environment.toLowerCase().replaceAll(/[^a-z0-9]/g, "_");
  const { kafka, cassandra, elasticsearch, registry } = addresses;
  return {
    kafka: { brokers: [kafka], tls: false },
    ...(cassandra === undefined
      ? {}
      : {
          cassandra: {
            contactPoints: [cassandra],
            localDataCenter: "datacenter1",
            keyspace: `penstock_${plain}`.slice(0, 48),
            replicas: 1,
            consistency: "localQuorum",
            tls: false,
          },
        }),
    ...(elasticsearch === undefined
      ? {}
      : {
          elasticsearch: {
            nodes: [withScheme(elasticsearch)],
            prefix: `penstock-${plain}-`,
            replicas: 0,
            tls: false,
          },
        }),
    ...(registry === undefined ? {} : { registry: { url: withScheme(registry) } }),
  };
}

function withScheme(address: string): string {
  return address.includes("://") ? address : `http://${address}`;
}
