import { ok, type Result } from "#snapshots/problem.ts";
import type { CellAnalysis } from "./analysis.ts";
import { compileModules } from "./compile.ts";

/** Code that stands behind a cell's own, and the function in it that returns each imported module. */
export type CellModules = { prelude: string; access: Record<string, string> };

/** Bundles the modules a cell imports from its workspace, so that the guest needs no file. */
export async function cellModules(
  root: string,
  fileName: string,
  analysis: CellAnalysis,
): Promise<Result<CellModules>> {
  const wanted = analysis.imports.filter(
    (found) => found.specifier !== "penstock" && !found.isTypeOnly,
  );
  const modules: CellModules = { prelude: "", access: {} };
  for (const { specifier } of wanted) {
    if (modules.access[specifier] !== undefined) continue;
    const entry = `import * as imported from ${JSON.stringify(specifier)};\nexport const module = imported;`;
    const compiled = await compileModules({ root, fileName, modules: { entry }, format: "iife" });
    if (!compiled.ok)
      return {
        ok: false,
        problem: { ...compiled.problem, at: placeOfImport(analysis, specifier) },
      };
    const name = `penstockImport${Object.keys(modules.access).length}`;
    modules.access[specifier] = name;
    modules.prelude += `function ${name}() {\n${compiled.value.code}\nreturn penstockModule.module;\n}\n`;
  }
  return ok(modules);
}

function placeOfImport(
  analysis: CellAnalysis,
  specifier: string,
): { line: number; column: number } {
  const found = analysis.imports.find((one) => one.specifier === specifier);
  const { line, character } = analysis.file.getLineAndCharacterOfPosition(found?.start ?? 0);
  return { line: line + 1, column: character + 1 };
}
