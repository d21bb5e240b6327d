import type { Command } from "commander";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import { cancelled } from "./follow.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, type Common } from "./verb.ts";

type Options = Common & { demo?: boolean };

/** `penstock init DIR [--demo]` */
export function initVerb(program: Command): void {
  program
    .command("init [dir]")
    .description("Make a workspace: a Git repository with its folders and first commit.")
    .option("--demo", "with real flights, their snapshots and a notebook")
    .option("-w, --workspace <dir>", "the folder, as other verbs name it")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  $ penstock init my-workspace --demo\n  $ penstock init .")
    .action(async (named: string | undefined, options: Options) => {
      const dir = named ?? options.workspace;
      if (dir === undefined) throw new ProblemError(noFolder);
      const { initWorkspace } = await import("#promote/init.ts");
      const progress = openProgress({ isSilent: options.json ?? false });
      const made = await initWorkspace({
        dir,
        demo: options.demo ?? false,
        signal: cancelled(),
        onProgress: ({ message, fraction }) => progress.show(message, fraction),
      });
      progress.end();
      const { root, created } = unwrap(made);
      if (options.json) printJson({ root, created });
      else if (!created) print(`${root} is a workspace already; nothing was changed.`);
      else print(`Made the workspace ${root}.\nOpen it: penstock open ${dir}`);
    });
}

const noFolder = {
  code: "folder-not-named",
  message: "Which folder is to become a workspace?",
  hint: "Name it: `penstock init my-workspace`, or `penstock init .` for this one.",
};
