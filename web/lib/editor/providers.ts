import type * as Monaco from "monaco-editor/editor.js";

export type CompletionItem = {
  label: string;
  /** TypeScript's word for what it is: "property", "const", "function", "keyword". */
  kind?: string;
  detail?: string;
  documentation?: string;
  insertText?: string;
};

/** What answers for a cell: its notebook's session. Lines and columns count from 1. */
export type LanguageSource = {
  completions(line: number, column: number): Promise<CompletionItem[]>;
  hover(line: number, column: number): Promise<string | undefined>;
};

const sources = new Map<string, LanguageSource>();

/** Says who answers for a model; the answer undoes it. */
export function answerFor(uri: string, source: LanguageSource): () => void {
  sources.set(uri, source);
  return () => sources.delete(uri);
}

export function connectLanguage(monaco: typeof Monaco, language: string): void {
  const kinds: Record<string, Monaco.languages.CompletionItemKind> = {
    property: monaco.languages.CompletionItemKind.Field,
    method: monaco.languages.CompletionItemKind.Method,
    function: monaco.languages.CompletionItemKind.Function,
    const: monaco.languages.CompletionItemKind.Constant,
    let: monaco.languages.CompletionItemKind.Variable,
    var: monaco.languages.CompletionItemKind.Variable,
    parameter: monaco.languages.CompletionItemKind.Variable,
    alias: monaco.languages.CompletionItemKind.Module,
    module: monaco.languages.CompletionItemKind.Module,
    class: monaco.languages.CompletionItemKind.Class,
    interface: monaco.languages.CompletionItemKind.Interface,
    type: monaco.languages.CompletionItemKind.Interface,
    keyword: monaco.languages.CompletionItemKind.Keyword,
    string: monaco.languages.CompletionItemKind.Value,
    column: monaco.languages.CompletionItemKind.Field,
  };

  monaco.languages.registerCompletionItemProvider(language, {
    triggerCharacters: [".", '"', "'", "/"],
    async provideCompletionItems(model, position) {
      const word = model.getWordUntilPosition(position);
      const range = new monaco.Range(
        position.lineNumber,
        word.startColumn,
        position.lineNumber,
        word.endColumn,
      );
      const found = await sources
        .get(model.uri.toString())
        ?.completions(position.lineNumber, position.column);
      return {
        suggestions: (found ?? []).map((item) => ({
          label: item.label,
          kind: kinds[item.kind ?? ""] ?? monaco.languages.CompletionItemKind.Text,
          insertText: item.insertText ?? item.label,
          ...(item.detail && { detail: item.detail }),
          ...(item.documentation && { documentation: item.documentation }),
          range,
        })),
      };
    },
  });

  monaco.languages.registerHoverProvider(language, {
    async provideHover(model, position) {
      const text = await sources
        .get(model.uri.toString())
        ?.hover(position.lineNumber, position.column);
      return text ? { contents: [{ value: `\`\`\`${language}\n${text}\n\`\`\`` }] } : null;
    },
  });
}
