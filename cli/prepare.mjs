// What must be there before Penstock can run: dependencies and the built pages. Plain JavaScript for Node 20, because it
// runs before anything is installed; the rest of the project runs on the Node 24 that this installs.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const node = join(
  root,
  "node_modules/node/bin",
  process.platform === "win32" ? "node.exe" : "node",
);

const installStamp = join(root, "node_modules/.penstock-installed");
const buildStamp = join(root, "build/.penstock-built");

/** One line, no stack: what is wrong and what to do. */
export function stop(line) {
  console.error(`penstock: ${line}`);
  process.exit(2);
}

/** The environment in which the project's own Node and programs come first on the path. */
export function projectEnvironment() {
  const separator = process.platform === "win32" ? ";" : ":";
  const bin = join(root, "node_modules/.bin");
  return { ...process.env, PATH: `${bin}${separator}${process.env.PATH ?? ""}` };
}

export function requireSupportedNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) {
    stop(
      `Node ${process.versions.node} is too old. Install Node 20 or newer, then run this again.`,
    );
  }
}

/** Installs exactly what the lockfile names, when it is not what was installed last. */
export function install() {
  const wanted = digest([join(root, "package.json"), join(root, "package-lock.json")]);
  if (readStamp(installStamp) === wanted && existsSync(node)) return;
  console.log("Installing dependencies (the first time takes a minute)…");
  const npm = process.env.npm_execpath;
  const arguments_ = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const ran = npm
    ? spawnSync(process.execPath, [npm, ...arguments_], { cwd: root, stdio: "inherit" })
    : spawnSync("npm", arguments_, {
        cwd: root,
        stdio: "inherit",
        shell: process.platform === "win32",
      });
  if (ran.status !== 0) {
    stop(
      "the dependencies could not be installed; npm says why above. Check the network and that this folder is writable.",
    );
  }
  if (!existsSync(node)) {
    stop(
      "Node 24 did not arrive with the `node` package. Allow its install script (npm config: ignore-scripts=false) and run this again.",
    );
  }
  writeStamp(installStamp, wanted);
}

/** Builds the pages when a file they are made from has changed. */
export function build() {
  const sources = ["web", "snapshots", "kernel", "promote", "vite.config.ts", "package-lock.json"];
  const wanted = digest(sources.flatMap((path) => filesUnder(join(root, path))));
  if (readStamp(buildStamp) === wanted && existsSync(join(root, "build/handler.js"))) return;
  console.log("Building the pages…");
  const ran = spawnSync(
    node,
    [join(root, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "error"],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: projectEnvironment(),
      encoding: "utf8",
    },
  );
  if (ran.status !== 0) {
    process.stderr.write(`${ran.stdout}${ran.stderr}`);
    stop("the pages could not be built; the reason is above.");
  }
  writeStamp(buildStamp, wanted);
}

function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (/\.[a-z]+$/.test(path)) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes(".test."))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .toSorted();
}

function digest(paths) {
  const hash = createHash("sha256");
  for (const path of paths)
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update("\0");
  return hash.digest("hex");
}

function readStamp(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function writeStamp(path, text) {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (error) {
    stop(`cannot write ${path} (${error.code}). Make this folder writable, then run this again.`);
  }
}
