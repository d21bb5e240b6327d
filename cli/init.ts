import type { Command } from "commander";
import { unwrap } from "#snapshots/problem.ts";
import { cancelled } from "./follow.ts";
import { openProgress } from "./progress.ts";
import { print, printJson } from "./verb.ts";

type Options = { demo?: boolean; json?: boolean };

/** `penstock init DIR [--demo]` */
export function initVerb(program: Command): void {
  program
    .command("init <dir>")
    .description("Make a workspace: a Git repository with its folders and first commit.")
    .option("--demo", "with real flights, their snapshots and a notebook")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  $ penstock init my-workspace --demo\n  $ penstock init .")
    .action(async (dir: string, options: Options) => {
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
