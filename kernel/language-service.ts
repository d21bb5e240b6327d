import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import type { Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { outputContract } from "./contract.ts";
import { typeQueries, type TypedText } from "./typed-sql.ts";

/** What a question is about: a notebook's text as it stands, the workspace's types, and what is known of its queries. */
export type LanguageInput = {
  /** Absolute path of the notebook, whether or not the file exists. */
  fileName: string;
  text: string;
  /** The text of `penstock.d.ts`. */
  types: string;
  /** Columns of tables made by `sql`, by name. */
  tables: Record<string, Column[]>;
};

/** A place in the notebook's text; offsets count UTF-16 units. */
export type TextDiagnostic = {
  start: number;
  end: number;
  severity: "error" | "warning";
  message: string;
};

export type Completion = {
  label: string;
  kind: string;
  detail?: string;
  insertText?: string;
  sortText?: string;
};

export type LanguageService = {
  contract(input: LanguageInput, transform: string): Result<Column[]>;
  diagnostics(input: LanguageInput): TextDiagnostic[];
  completions(input: LanguageInput, offset: number): Completion[];
  hover(input: LanguageInput, offset: number): string | undefined;
};

const typesFile = "/penstock/penstock.d.ts";
const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  lib: ["lib.esnext.d.ts"],
  types: [],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  erasableSyntaxOnly: true,
};

/** A warm TypeScript language service over notebooks. Answers take a few milliseconds after the first. */
export function createLanguageService(): LanguageService {
  const libFolder = dirname(fileURLToPath(import.meta.resolve("typescript")));
  const files = new Map<string, { text: string; version: number }>();
  let roots: string[] = [];
  let typed: TypedText = typeQueries("", {});

  const host: ts.LanguageServiceHost = {
    getCompilationSettings: () => options,
    getScriptFileNames: () => roots,
    getScriptVersion: (name) => files.get(name)?.version.toString() ?? modifiedAt(name),
    getScriptSnapshot: (name) => {
      const text = host.readFile(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => "/",
    getDefaultLibFileName: () => join(libFolder, "lib.esnext.d.ts"),
    fileExists: (name) => files.has(name) || existsSync(name),
    readFile: (name) =>
      files.get(name)?.text ?? (existsSync(name) ? readFileSync(name, "utf8") : undefined),
    directoryExists: (name) => name === "/penstock" || existsSync(name),
    getDirectories: () => [],
  };
  const service = ts.createLanguageService(host, ts.createDocumentRegistry());

  function setFile(name: string, text: string): void {
    const known = files.get(name);
    if (known?.text === text) return;
    files.set(name, { text, version: (known?.version ?? 0) + 1 });
  }

  function open(input: LanguageInput): void {
    typed = typeQueries(input.text, input.tables);
    setFile(typesFile, input.types);
    setFile(input.fileName, typed.text);
    roots = [typesFile, input.fileName];
  }

  return {
    contract(input, transform) {
      open(input);
      const program = service.getProgram();
      const file = program?.getSourceFile(input.fileName);
      if (!program || !file) throw new Error(`no program for ${input.fileName}`);
      const contract = outputContract(program.getTypeChecker(), file, transform);
      return contract.ok
        ? contract
        : { ok: false, problem: { ...contract.problem, ...placed(contract.problem.at, file) } };
    },
    diagnostics(input) {
      open(input);
      const found = [
        ...service.getSyntacticDiagnostics(input.fileName),
        ...service.getSemanticDiagnostics(input.fileName),
      ];
      return found.flatMap(({ start, length, category, messageText }) => {
        if (start === undefined || category === ts.DiagnosticCategory.Message) return [];
        const message = ts.flattenDiagnosticMessageText(messageText, "\n");
        return [
          {
            start: typed.toWritten(start),
            end: typed.toWritten(start + (length ?? 1)),
            severity:
              category === ts.DiagnosticCategory.Error ? ("error" as const) : ("warning" as const),
            message: message.replaceAll(/import\("\/penstock\/penstock"\)\./g, ""),
          },
        ];
      });
    },
    completions(input, offset) {
      open(input);
      const found = service.getCompletionsAtPosition(input.fileName, typed.toTyped(offset), {
        includeCompletionsWithInsertText: true,
      });
      const own = found?.entries ?? [];
      return own.slice(0, 300).map((entry) => ({
        label: entry.name,
        kind: entry.kind,
        sortText: entry.sortText,
        ...(entry.insertText === undefined ? {} : { insertText: entry.insertText }),
      }));
    },
    hover(input, offset) {
      open(input);
      const info = service.getQuickInfoAtPosition(input.fileName, typed.toTyped(offset));
      if (!info) return undefined;
      const signature = ts.displayPartsToString(info.displayParts);
      const documentation = ts.displayPartsToString(info.documentation);
      return `\`\`\`typescript\n${signature}\n\`\`\`${documentation === "" ? "" : `\n\n${documentation}`}`;
    },
  };

  function placed(at: { line?: number; column?: number } | undefined, file: ts.SourceFile): object {
    if (at?.line === undefined || at.column === undefined) return {};
    const offset = typed.toWritten(file.getPositionOfLineAndCharacter(at.line - 1, at.column - 1));
    const lineStart = typed.toWritten(file.getPositionOfLineAndCharacter(at.line - 1, 0));
    return { at: { line: at.line, column: offset - lineStart + 1 } };
  }
}

function modifiedAt(path: string): string {
  return String(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}
