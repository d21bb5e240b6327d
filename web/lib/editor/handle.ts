/** What a page may ask of an editor. */
export type EditorHandle = {
  /** Puts the cursor into the text, at a place where one is given. Lines and columns count from 1. */
  focus(line?: number, column?: number): void;
};

/** Something to underline. */
export type Mark = {
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  severity: "error" | "warning";
  message: string;
};
