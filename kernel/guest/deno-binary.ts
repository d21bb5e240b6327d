import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** The Deno binary that the `deno` npm package brings, itself: its JavaScript wrapper costs a Node start each time. */
export function denoBinary(): { path: string; version: string } {
  const manifest = require.resolve("deno/package.json");
  const { version, optionalDependencies = {} } = require(manifest) as {
    version: string;
    optionalDependencies?: Record<string, string>;
  };
  const name = process.platform === "win32" ? "deno.exe" : "deno";
  const platforms = Object.keys(optionalDependencies).flatMap((dependency) => {
    try {
      return [join(dirname(createRequire(manifest).resolve(`${dependency}/package.json`)), name)];
    } catch {
      return [];
    }
  });
  const path = [...platforms, join(dirname(manifest), name)].find((file) => existsSync(file));
  if (path === undefined) {
    throw new Error(
      "The deno package came without its binary for this system. Install again with optional dependencies allowed.",
    );
  }
  return { path, version };
}

/** No permission is ever given; the import map takes the `node:` modules away, which Deno gives without asking. */
export const denoFlags: readonly string[] = [
  "--no-prompt",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-config",
  "--no-lock",
  "--no-code-cache",
  "--deny-import",
  "--deny-read",
  "--deny-write",
  "--deny-net",
  "--deny-env",
  "--deny-sys",
  "--deny-run",
  "--deny-ffi",
];
