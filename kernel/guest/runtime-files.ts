import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

export type RuntimeFiles = {
  /** A folder of this process's own, which guests see read-only. */
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
  const folder = mkdtempSync(join(tmpdir(), "penstock-guest-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "deno"));
  const files = [
    ...built.outputFiles.map((file, index) => ({ name: `${kinds[index]}.js`, text: file.text })),
    { name: "import-map.json", text: importMap() },
  ];
  for (const { name, text } of files) writeFileSync(join(folder, name), text, { mode: 0o444 });
  return { folder };
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
