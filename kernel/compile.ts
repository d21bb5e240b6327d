import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildFailure, type Message, type Plugin } from "esbuild";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";

/** The text of one ES module, and the map back to what it was made from. */
export type Compiled = {
  code: string;
  sourceMap: string;
  /** The files of the workspace that are in it, absolute: its bytes change with theirs. */
  files: string[];
};

const runtimeFolder = fileURLToPath(new URL("./guest/runtime/", import.meta.url));

/**
 * Bundles modules into one ES module: same input, same bytes, on any machine. `modules` are in memory; the one named
 * "entry" is where it begins, and relative imports in them are looked up beside `fileName`.
 * "penstock" is the bundle runtime; other imports must lie inside the workspace.
 */
export async function compileModules(request: {
  root: string;
  fileName: string;
  modules: Record<string, string>;
  /** An IIFE leaves what the entry exports in `var penstockModule`. */
  format?: "esm" | "iife";
}): Promise<Result<Compiled>> {
  try {
    const result = await build({
      entryPoints: ["penstock-memory:entry"],
      absWorkingDir: request.root,
      bundle: true,
      write: false,
      outfile: "bundle.js",
      format: request.format ?? "esm",
      globalName: "penstockModule",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["import", "default"],
      target: "es2024",
      charset: "utf8",
      legalComments: "none",
      sourcemap: "external",
      sourcesContent: false,
      metafile: true,
      treeShaking: true,
      logLevel: "silent",
      tsconfigRaw: { compilerOptions: { target: "ESNext", useDefineForClassFields: true } },
      plugins: [inMemory(request), insideWorkspace(request.root)],
    });
    const text = (suffix: string) =>
      result.outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? "";
    const files = Object.keys(result.metafile.inputs)
      .filter((path) => !/^(?:notebook|penstock|penstock-memory):/.test(path))
      .map((path) => resolve(request.root, path));
    return ok({ code: text(".js"), sourceMap: text(".js.map"), files });
  } catch (error) {
    return fail(problemOf(error as BuildFailure));
  }
}

function inMemory({
  fileName,
  modules,
}: {
  fileName: string;
  modules: Record<string, string>;
}): Plugin {
  return {
    name: "notebook",
    setup(build) {
      build.onResolve({ filter: /^penstock-memory:/ }, ({ path }) => ({
        path: path.slice("penstock-memory:".length),
        namespace: "notebook",
      }));
      build.onLoad({ filter: /.*/, namespace: "notebook" }, ({ path }) => ({
        contents: modules[path] ?? "",
        loader: "ts",
        resolveDir: dirname(fileName),
      }));
      // Its own namespace, with paths relative to the runtime's folder: where Penstock is installed must not show in the bytes.
      build.onResolve({ filter: /^penstock$/ }, () => ({
        path: "bundle-runtime.ts",
        namespace: "penstock",
      }));
      build.onResolve({ filter: /^penstock-freeze$/ }, () => ({
        path: "freeze.ts",
        namespace: "penstock",
      }));
      build.onResolve({ filter: /^\.{1,2}\//, namespace: "penstock" }, ({ path, importer }) => ({
        path: join(dirname(importer), path),
        namespace: "penstock",
      }));
      build.onLoad({ filter: /.*/, namespace: "penstock" }, async ({ path }) => ({
        contents: await readFile(join(runtimeFolder, path), "utf8"),
        loader: "ts",
      }));
    },
  };
}

function insideWorkspace(root: string): Plugin {
  const asked = Symbol("asked");
  return {
    name: "inside-workspace",
    setup(build) {
      build.onResolve({ filter: /.*/ }, async ({ path, pluginData, ...rest }) => {
        if (pluginData === asked || rest.kind === "entry-point" || path === "penstock")
          return undefined;
        if (rest.namespace === "penstock") return undefined;
        if (/^(?:node|npm|jsr|https?|file|data):/.test(path)) return { errors: [outside(path)] };
        const found = await build.resolve(path, { ...rest, pluginData: asked });
        if (found.errors.length > 0) return { errors: [missing(path)] };
        if (found.external || !isInside(root, found.path)) return { errors: [outside(path)] };
        return found;
      });
    },
  };
}

function isInside(root: string, path: string): boolean {
  try {
    const away = relative(realpathSync(root), realpathSync(path));
    return away !== "" && !away.startsWith(`..${sep}`) && away !== "..";
  } catch {
    return false;
  }
}

function outside(path: string): { text: string; notes: { text: string }[] } {
  return {
    text: `"${path}" lies outside the workspace, so a notebook cannot import it.`,
    notes: [
      { text: "Copy what you need into the workspace, or install the package in it with npm." },
    ],
  };
}

function missing(path: string): { text: string; notes: { text: string }[] } {
  const isFile = path.startsWith(".");
  return {
    text: `"${path}" cannot be found.`,
    notes: [
      {
        text: isFile
          ? "Check the path; it is relative to the notebook, with its extension."
          : `Install it in the workspace: \`npm install ${path}\`.`,
      },
    ],
  };
}

function problemOf(error: Partial<BuildFailure>): Problem {
  const first: Message | undefined = error.errors?.[0];
  if (!first) throw error;
  const hint = first.notes[0]?.text;
  return {
    code: "bundle",
    message: first.text,
    ...(hint === undefined || hint === "" ? { hint: "Correct it and run again." } : { hint }),
    ...(first.location
      ? {
          at: {
            ...(first.location.file.startsWith("notebook:") ? {} : { file: first.location.file }),
            line: first.location.line,
            column: first.location.column + 1,
          },
        }
      : {}),
  };
}
