import type * as Monaco from "monaco-editor/editor.js";

/** Monaco wants hex digits, not custom properties: both themes are read from the tokens, once. */
export function defineThemes(monaco: typeof Monaco): void {
  for (const scheme of ["light", "dark"] as const) {
    const colour = reader(scheme);
    const rule = (token: string, property: string) => ({
      token,
      foreground: colour(property).slice(1),
    });
    monaco.editor.defineTheme(themeName(scheme === "dark"), {
      base: scheme === "dark" ? "vs-dark" : "vs",
      inherit: true,
      rules: [
        rule("", "--ink"),
        rule("identifier", "--ink"),
        rule("delimiter", "--ink"),
        rule("delimiter.bracket", "--ink"),
        rule("type.identifier", "--code-function"),
        rule("function", "--code-function"),
        rule("keyword", "--code-keyword"),
        rule("string", "--code-string"),
        rule("string.escape", "--code-number"),
        rule("string.link", "--code-function"),
        rule("regexp", "--code-string"),
        rule("number", "--code-number"),
        rule("comment", "--code-comment"),
        rule("variable", "--code-string"),
        rule("keyword.md", "--code-function"),
      ],
      colors: {
        // Opaque: Monaco keeps its input element, with a caret of its own, behind the background.
        "editor.background": colour("--bg"),
        "editor.foreground": colour("--ink"),
        "editorCursor.foreground": colour("--accent"),
        "editor.selectionBackground": `${colour("--accent")}40`,
        "editor.inactiveSelectionBackground": `${colour("--accent")}24`,
        "editor.findMatchBackground": `${colour("--changed-mark")}66`,
        "editor.findMatchHighlightBackground": `${colour("--changed-mark")}33`,
        "editorBracketMatch.background": `${colour("--accent")}24`,
        "editorBracketMatch.border": "#00000000",
        "editorError.foreground": colour("--fail-mark"),
        "editorWarning.foreground": colour("--warn-mark"),
        "editorWidget.background": colour("--bg-raised"),
        "editorWidget.foreground": colour("--ink"),
        "editorWidget.border": colour("--line-strong"),
        "editorHoverWidget.background": colour("--bg-raised"),
        "editorHoverWidget.border": colour("--line-strong"),
        "editorSuggestWidget.background": colour("--bg-raised"),
        "editorSuggestWidget.border": colour("--line-strong"),
        "editorSuggestWidget.foreground": colour("--ink"),
        "editorSuggestWidget.selectedBackground": colour("--bg-selected"),
        "editorSuggestWidget.selectedForeground": colour("--ink"),
        "editorSuggestWidget.highlightForeground": colour("--accent"),
        "editorSuggestWidget.focusHighlightForeground": colour("--accent"),
        "scrollbarSlider.background": `${colour("--line-control")}55`,
        "scrollbarSlider.hoverBackground": `${colour("--line-control")}88`,
        "scrollbar.shadow": "#00000000",
        focusBorder: colour("--accent"),
        "input.background": colour("--bg"),
        "input.border": colour("--line-control"),
      },
    });
  }
}

export function themeName(isDark: boolean): string {
  return isDark ? "penstock-dark" : "penstock-light";
}

/** The value of a colour token under a scheme, as `#rrggbb`. */
export function reader(scheme: "light" | "dark"): (property: string) => string {
  return (property) => {
    const probe = document.createElement("i");
    probe.style.cssText = `color-scheme: ${scheme}; color: var(${property}); display: none`;
    document.body.append(probe);
    const channels = getComputedStyle(probe).color.match(/[\d.]+/g) ?? [];
    probe.remove();
    return `#${channels
      .slice(0, 3)
      .map((each) => Math.round(Number(each)).toString(16).padStart(2, "0"))
      .join("")}`;
  };
}
