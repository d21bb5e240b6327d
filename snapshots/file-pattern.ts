import type { Problem } from "./problem.ts";

/**
 * DuckDB reads a path as a pattern; this is the one that only the file itself meets: `r[1].csv` alone would be `r1.csv`. A backslash escapes nothing in it
 * and breaks it, see `badFileName`.
 */
export function filePattern(path: string): string {
  return path.replaceAll(/[[*?]/g, "[$&]");
}

/** Of a file that no pattern can name. */
export function badFileName(path: string): Problem | undefined {
  if (!path.includes("\\") || !/[[*?]/.test(path)) return undefined;
  return {
    code: "bad-file-name",
    message: `${path} cannot be read: its path has a backslash and one of [ * ? in it, which are read as a pattern.`,
    hint: "Give the file, or the folder, a name without them.",
  };
}
