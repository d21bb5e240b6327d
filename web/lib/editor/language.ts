import type { languages } from "monaco-editor/editor.js";
import {
  conf as tsConf,
  language as ts,
} from "monaco-editor/languages/definitions/typescript/typescript.js";
import {
  conf as markdownConf,
  language as markdown,
} from "monaco-editor/languages/definitions/markdown/markdown.js";

type Definition = {
  id: string;
  conf: languages.LanguageConfiguration;
  language: languages.IMonarchLanguage;
};

const sqlWords =
  "select|from|where|group|order|by|having|join|left|right|full|inner|outer|cross|on|using|as|and|or|not|in|is|null|case|when|then|else|end|distinct|limit|offset|union|all|except|intersect|with|recursive|over|partition|filter|between|like|ilike|exists|asc|desc|nulls|first|last|cast|interval|date|timestamp|true|false|qualify|exclude|replace|values|sample|pivot|unpivot|lateral|semi|anti|asof";

/** TypeScript's own colouring, with function names told apart and `sql` templates read as SQL. */
export const cellLanguage: Definition = {
  id: "penstock",
  // One hue a word, not one a bracket: depth is what indentation says.
  conf: { ...tsConf, colorizedBracketPairs: [] },
  language: {
    ...ts,
    defaultToken: "",
    tokenizer: {
      ...ts.tokenizer,
      common: [
        [/(sql)(\s*)(`)/, ["function", "", { token: "string", next: "@sqlTemplate" }]],
        [
          /[a-z_$][\w$]*(?=\s*(?:<[\w\s,.|[\]]*>)?\()/,
          { cases: { "@keywords": "keyword", "@default": "function" } },
        ],
        ...(ts.tokenizer["common"] ?? []),
      ],
      sqlTemplate: [
        [/\$\{/, { token: "delimiter.bracket", next: "@bracketCounting" }],
        [/`/, "string", "@pop"],
        [/'[^']*'/, "number"],
        [/--.*$/, "comment"],
        [new RegExp(`\\b(?:${sqlWords})\\b(?![\\w(])`, "i"), "keyword"],
        [/\b(?:and|or|not|in|exists|over|using|filter|on)\b(?=\s*\()/i, "keyword"],
        [/[^\\`$'\w-]+|\w+|-|\$/, "string"],
        [/\\./, "string.escape"],
      ],
    },
  },
};

export const markdownLanguage: Definition = {
  id: "penstock-markdown",
  conf: { ...markdownConf, colorizedBracketPairs: [] },
  language: markdown,
};
