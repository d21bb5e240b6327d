/** Path of a notebook in the workspace: `delays` is `notebooks/delays.ts`. */
export function notebookPath(notebook: string): string {
  return `notebooks/${notebookName(notebook)}.ts`;
}

/** `delays`, of that and of its path. */
export function notebookName(notebook: string): string {
  return notebook.replace(/^notebooks\//, "").replace(/\.ts$/, "");
}
