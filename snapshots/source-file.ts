import { createHash } from "node:crypto";
import { createReadStream, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { badFileName } from "./file-pattern.ts";
import { fail, ok, type Problem, type Result } from "./problem.ts";
import type { Source } from "./workspace.ts";

/** The source's file, which must lie in the workspace, links followed. */
export function sourceFile(
  root: string,
  source: Source,
): Result<{ path: string; sizeBytes: number; changedAt: number }> {
  const at = { file: `sources/${source.name}.yaml` };
  const given = resolve(root, source.path);
  let path: string;
  try {
    path = realpathSync(given);
  } catch {
    return fail({
      code: "no-source-file",
      message: `The source ${source.name} reads ${source.path}, which does not exist.`,
      hint: `Put the file there, or correct \`path\` in ${at.file}.`,
      at,
    });
  }
  const inside = relative(realpathSync(root), path);
  if (inside.startsWith(`..${sep}`) || inside === ".." || inside === join(sep, inside)) {
    return fail({
      code: "source-outside",
      message: `The source ${source.name} reads ${source.path}, which lies outside the workspace.`,
      hint: "Copy the file into the workspace (its data/ folder is a good place).",
      at,
    });
  }
  const bad = badFileName(path);
  if (bad !== undefined) return fail({ ...bad, at });
  const { size, changedAt, isFile } = describeFile(path);
  if (isFile) return ok({ path, sizeBytes: size, changedAt });
  return fail({
    code: "no-source-file",
    message: `${source.path} is not a file.`,
    hint: `Correct \`path\` in ${at.file}.`,
    at,
  });
}

/** What tells one state of a file from another. */
export function describeFile(path: string): { size: number; changedAt: number; isFile: boolean } {
  const stat = statSync(path);
  return { size: stat.size, changedAt: stat.mtimeMs, isFile: stat.isFile() };
}

export function changedMeanwhile({ name, path }: Source): Problem {
  return {
    code: "source-changed",
    message: `${path} was changed while the source ${name} was being frozen, so the rows may be of two versions.`,
    hint: "Freeze again when nothing writes to the file; or freeze a copy.",
    at: { file: `sources/${name}.yaml` },
  };
}

/** SHA-256 of a file, read in pieces. */
export async function fileHash(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    hash,
    signal ? { signal } : {},
  );
  return hash.digest("hex");
}
