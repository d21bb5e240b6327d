// `npm start [-- WORKSPACE] [-- --port N --no-open]`: install, build, make the demo workspace, serve it.
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { nodeOptions } from "./node-options.mjs";
import {
  build,
  install,
  node,
  projectEnvironment,
  requireSupportedNode,
  root,
  stop,
} from "./prepare.mjs";

requireSupportedNode();
try {
  accessSync(root, constants.W_OK);
} catch {
  stop(
    `${root} is read-only. Penstock keeps its dependencies and pages there; copy it to a folder you can write to.`,
  );
}
install();
build();

const child = spawn(
  node,
  [...nodeOptions, join(root, "cli/main.ts"), "open", "--make-demo", ...process.argv.slice(2)],
  {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    env: projectEnvironment(),
    stdio: "inherit",
  },
);
// The terminal sends Ctrl-C to the whole group; a signal sent to this process alone is passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
