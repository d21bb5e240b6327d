import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

export type RuntimeFiles = {
  /** Which guests see read-only. */
  folder: string;
};

const kinds = ["slice", "interactive"];
let made: RuntimeFiles | undefined;

/** The guests' trusted code as one file each: nothing else needs to be seen from inside. Made once a process. */
export function runtimeFiles(): RuntimeFiles {
  made ??= make();
  return made;
}

function make(): RuntimeFiles {
  const root = fileURLToPath(new URL("./runtime/", import.meta.url));
  const built = buildSync({
    absWorkingDir: fileURLToPath(new URL("../../", import.meta.url)),
    entryPoints: kinds.map((kind) => ({ in: join(root, `${kind}-main.ts`), out: kind })),
    outdir: "guest",
    bundle: true,
    write: false,
    format: "esm",
    external: ["node:worker_threads"],
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2024",
    legalComments: "none",
    minifySyntax: false,
    logLevel: "silent",
  });
  const files = [
    ...built.outputFiles.map((file, index) => ({ name: `${kinds[index]}.js`, text: file.text })),
    { name: "import-map.json", text: importMap() },
  ];
  const hash = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);
  const folder = ownFolder(
    join(tmpdir(), `penstock-guest-${process.getuid?.() ?? "user"}-${hash}`),
  );
  mkdirSync(join(folder, "deno"), { recursive: true });
  for (const { name, text } of files) writeOnce(join(folder, name), text);
  return { folder };
}

/** The folder is found again by name, so that nothing piles up; it counts only when nobody else could have put it there. */
function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  const isOwn = process.getuid === undefined || found.uid === process.getuid();
  return found.isDirectory() && isOwn && (found.mode & 0o022) === 0
    ? path
    : mkdtempSync(`${path}-`);
}

/** Whole or not at all: another Penstock may be doing the same. */
function writeOnce(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, text, { mode: 0o444 });
  renameSync(fresh, path);
}

/** Deno hands out `node:` modules whatever the permissions; a module that throws stands in for each. */
function importMap(): string {
  const beyondNode = [
    "_stream_duplex",
    "_http_agent",
    "sqlite",
    "test",
    "sea",
    "test/reporters",
    "inspector/promises",
  ];
  const names = new Set([
    ...builtinModules.map((name) => name.replace(/^node:/, "")),
    ...beyondNode,
  ]);
  const says = `throw new TypeError("A notebook cannot import Node's modules. Files, processes and the network are out of its reach.");`;
  const address = `data:text/javascript,${encodeURIComponent(says)}`;
  const imports = Object.fromEntries(
    [...names].toSorted().map((name) => [`node:${name}`, address]),
  );
  return JSON.stringify({ imports });
}
