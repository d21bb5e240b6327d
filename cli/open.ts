import { realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { unwrap } from "#snapshots/problem.ts";
import { livingServer } from "./connect.ts";
import { findWorkspace } from "./find-workspace.ts";
import { openProgress } from "./progress.ts";
import { portNumber, print, printJson, verb, type Common } from "./verb.ts";

type Options = Common & { port?: number; open: boolean; makeDemo?: boolean };

const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** `penstock open [DIR] [--port N] [--no-open]`: serve a workspace until Ctrl-C. */
export function openVerb(program: Command): void {
  verb(program, "open [dir]", "Serve a workspace on this machine and open it in the browser.", [
    "open",
    "open path/to/workspace --port 4800 --no-open",
  ])
    .option(
      "-p, --port <number>",
      "this port and no other (default: 4747 or the next free one)",
      portNumber,
    )
    .option("--no-open", "do not open a browser")
    .option("--make-demo", "make the demo workspace in Penstock's own folder, where none is named")
    .action(async (dir: string | undefined, options: Options) => {
      const root = realpathSync(await placeOf(dir, options));
      const living = await livingServer(root);
      const isInteractive = process.stdout.isTTY && options.open;
      const { openInBrowser } = await import("#web/server/browser.ts");
      if (living) {
        const url = `${living.origin}/?token=${living.token}`;
        if (options.json) return printJson({ url, pid: living.pid, isNew: false });
        print(`This workspace is served already, by pid ${living.pid}:\n${url}`);
        if (isInteractive) openInBrowser(url);
        return;
      }
      const { serve } = await import("#web/server/serve.ts");
      const { untilStopped } = await import("#web/server/until-stopped.ts");
      const served = unwrap(
        await serve({
          workspace: root,
          ...(options.port === undefined ? {} : { port: options.port }),
          isPortExplicit: options.port !== undefined,
          openBrowser: isInteractive,
          say: (line) => (options.json ? undefined : print(line)),
        }),
      );
      if (options.json) printJson({ url: served.url, pid: process.pid, isNew: true });
      await untilStopped(
        () => served.close(),
        (line) => process.stderr.write(`${line}\n`),
      );
    });
}

async function placeOf(dir: string | undefined, options: Options): Promise<string> {
  const named = dir ?? options.workspace;
  if (named !== undefined || !options.makeDemo) return unwrap(findWorkspace(process.cwd(), named));
  const demo = join(projectRoot, "workspace");
  const { initWorkspace } = await import("#promote/init.ts");
  const progress = openProgress({ isSilent: options.json ?? false });
  const made = await initWorkspace({
    dir: resolve(demo),
    demo: true,
    onProgress: ({ message, fraction }) => progress.show(message, fraction),
  });
  progress.end();
  return unwrap(made).root;
}
