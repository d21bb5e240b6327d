import svelte from "eslint-plugin-svelte";
import typescript from "typescript-eslint";

// oxlint checks the TypeScript; ESLint only what it alone can: Svelte components.
export default typescript.config(
  { ignores: ["build/**", ".svelte-kit/**", "workspace/**", "node_modules/**"] },
  { files: ["**/*.svelte", "**/*.svelte.ts"], extends: [...svelte.configs["flat/recommended"]] },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: typescript.parser } },
    rules: { "svelte/no-navigation-without-resolve": "off" },
  },
);
