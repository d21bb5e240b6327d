import {
  accessSync,
  constants,
  copyFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Problem } from "./problem.ts";

/** Why a file a person named cannot be written, as far as can be told before there is something to write. */
export function unwritable(file: string): Problem | undefined {
  try {
    accessSync(dirname(file), constants.W_OK);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
    return notWritten(file, Object.assign(new Error("a folder"), { code: "EISDIR" }));
  } catch (error) {
    return notWritten(file, error);
  }
}

/** All of it or nothing: a file that was there stays until the new one is whole. */
export function writeWhole(file: string, text: string): Problem | undefined {
  return arrive(file, (part) => writeFileSync(part, text));
}

/** A file made elsewhere, to where a person wants it. */
export function copyWhole(from: string, file: string): Problem | undefined {
  return arrive(file, (part) => copyFileSync(from, part));
}

function arrive(file: string, write: (part: string) => void): Problem | undefined {
  // A pipe or a terminal is written to; a file is replaced.
  const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() ?? true;
  const part = isFile ? `${file}.${process.pid}.part` : file;
  try {
    write(part);
    if (isFile) renameSync(part, file);
    return undefined;
  } catch (error) {
    if (isFile) rmSync(part, { force: true });
    return notWritten(file, error);
  }
}

function notWritten(file: string, error: unknown): Problem {
  const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return {
    code: "not-written",
    message: `${file} cannot be written (${why}).`,
    hint: "Name a file in a folder that is there and may be written to.",
  };
}
