import type { Command } from "commander";
import { columns } from "./columns.ts";
import { read, withConnection } from "./connect.ts";
import { bytes, count, paint } from "./paint.ts";
import { pipelineLines } from "./pipeline-lines.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

/** `penstock status` */
export function statusVerb(program: Command): void {
  verb(program, "status", "Print what is frozen, what is released, what should run where, and what runs.", [
    "status",
    "status --json",
  ]).action((options: Common) =>
    withConnection(workspaceOf(options), async ({ api, server }) => {
      const [info, { snapshots }, { notebooks }, { releases }, { environments }, running] =
        await Promise.all([
          read(api.workspace.$get()),
          read(api.snapshots.$get()),
          read(api.notebooks.$get()),
          read(api.releases.$get()),
          read(api.environments.$get()),
          read(api.pipelines.$get()),
        ]);
      if (options.json) {
        return printJson({
          workspace: { name: info.name, root: info.root },
          server: server ?? null,
          ...{ snapshots, notebooks, releases, environments },
          ...{ pipelines: running.pipelines, refused: running.refused, problems: info.problems },
        });
      }
      print(`${paint("bold", info.name)}  ${info.root}`);
      print(server ? `served at ${server.url} (pid ${server.pid})` : "not served; open it with: penstock open");
      const right = "right" as const;
      section(
        "Snapshots",
        columns(
          [{ title: "name" }, { title: "rows", align: right }, { title: "size", align: right }, { title: "hash" }, { title: "frozen" }],
          snapshots.map((s) => [s.name, count(s.rows), bytes(s.sizeBytes), s.hash.slice(0, 12), s.frozenAt.slice(0, 16).replace("T", " ")]),
          "  ",
        ),
      );
      section(
        "Notebooks",
        columns(
          [{ title: "name" }, { title: "transforms" }, { title: "" }],
          notebooks.map((n) => [n.name, n.transforms.join(", "), n.isDirty ? "unsaved" : ""]),
          "  ",
        ),
      );
      section(
        "Releases",
        columns(
          [{ title: "transform" }, { title: "hash" }, { title: "built" }, { title: "findings", align: right }, { title: "approved by" }, { title: "runs in" }],
          releases.map((r) => [
            ...[r.transform, r.hash.slice(0, 12), r.builtAt.slice(0, 16).replace("T", " ")],
            ...[r.problem ? r.problem.message : count(r.findings), r.approvedBy.join(", "), r.runsIn.join(", ")],
          ]),
          "  ",
        ),
      );
      section(
        "Environments",
        columns(
          [{ title: "name" }, { title: "approvals", align: right }, { title: "should run" }],
          environments.map((e) => [
            ...[e.name, String(e.approvals)],
            Object.entries(e.pipelines)
              .map(([name, { release }]) => `${name} ${release.slice(0, 6)}`)
              .join(", ") || "nothing",
          ]),
          "  ",
        ),
      );
      if (server) section("Pipelines", pipelineLines(running.pipelines, "  "));
      for (const { environment, name, problem } of running.refused) {
        print(`${paint("yellow", "refused:")} ${name} in ${environment}: ${problem.message}`);
      }
      for (const { message } of info.problems) print(`${paint("yellow", "problem:")} ${message}`);
    }),
  );
}

function section(title: string, lines: string[]): void {
  if (lines.length < 2) return;
  print(`\n${paint("bold", title)}`);
  for (const line of lines) print(line);
}
