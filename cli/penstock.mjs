#!/usr/bin/env node
// The `penstock` command. Plain JavaScript for any Node from 20 on: it hands over to the Node that Penstock brings along, which
// runs the TypeScript in cli/main.ts.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeOptions } from "./node-options.mjs";

// Started through a link in node_modules/.bin, the file's own place is where the link leads.
const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const program = process.platform === "win32" ? "node.exe" : "node";
const node = [
  join(root, "node_modules/node/bin", program),
  join(root, "../node/bin", program),
].find((path) => existsSync(path));
if (!node) {
  console.error("penstock: the dependencies are not installed yet. Run npm start once.");
  process.exit(2);
}

const child = spawn(node, [...nodeOptions, join(root, "cli/main.ts"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
// The terminal sends Ctrl-C to both of us; a signal sent to this process alone is passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`penstock: ${node} cannot be started (${error.code}). Run npm start once.`);
  process.exit(2);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
