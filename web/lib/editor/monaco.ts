// The editor's core and the few features a cell needs. No TypeScript worker: the session knows the types.
import "monaco-editor/features/bracketMatching/register.js";
import "monaco-editor/features/caretOperations/register.js";
import "monaco-editor/features/clipboard/register.js";
import "monaco-editor/features/codicon/register.js";
import "monaco-editor/features/comment/register.js";
import "monaco-editor/features/cursorUndo/register.js";
import "monaco-editor/features/find/register.js";
import "monaco-editor/features/gotoError/register.js";
import "monaco-editor/features/hover/register.js";
import "monaco-editor/features/indentation/register.js";
import "monaco-editor/features/linesOperations/register.js";
import "monaco-editor/features/multicursor/register.js";
import "monaco-editor/features/smartSelect/register.js";
import "monaco-editor/features/snippet/register.js";
// `features/suggest` brings the inline kind only.
import "monaco-editor/editor/contrib/suggest/browser/suggestController.js";
import "monaco-editor/features/toggleTabFocusMode/register.js";
import "monaco-editor/features/wordOperations/register.js";
import * as monaco from "monaco-editor/editor.js";
// oxlint-disable-next-line import/default -- Vite gives the worker a constructor
import EditorWorker from "monaco-editor/editor/editor.worker.js?worker";
import { cellLanguage, markdownLanguage } from "./language.ts";
import { connectLanguage } from "./providers.ts";
import { defineThemes } from "./theme.ts";

globalThis.MonacoEnvironment = { getWorker: () => new EditorWorker() };

/** Two languages: a cell's TypeScript with SQL in its templates, and Markdown. */
for (const { id, conf, language } of [cellLanguage, markdownLanguage]) {
  monaco.languages.register({ id });
  monaco.languages.setLanguageConfiguration(id, conf);
  monaco.languages.setMonarchTokensProvider(id, language);
}
connectLanguage(monaco, cellLanguage.id);
defineThemes(monaco);

/** Suggestions and hovers float above everything, or a cell's own edge would cut them. */
export const overflow = document.createElement("div");
overflow.className = "monaco-editor monaco-overflow";
document.body.append(overflow);

export { monaco };
