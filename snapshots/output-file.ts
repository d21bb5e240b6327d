import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  createReadStream,
  createWriteStream,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Problem } from "./problem.ts";

/** Why a file a person named cannot be written, as far as can be told before there is something to write. */
export function unwritable(file: string): Problem | undefined {
  try {
    const target = targetOf(file);
    if (target.kind === "folder")
      return notWritten(file, Object.assign(new Error("a folder"), { code: "EISDIR" }));
    accessSync(target.kind === "replace" ? dirname(target.path) : target.path, constants.W_OK);
    return undefined;
  } catch (error) {
    return notWritten(file, error);
  }
}

/** All of it or nothing: a file that was there stays until the new one is whole, with its mode, and where a link led to it. */
export function writeWhole(file: string, text: string): Problem | undefined {
  return arrive(file, (path) => writeFileSync(path, text));
}

/** A file made elsewhere, to where a person wants it. */
export function copyWhole(from: string, file: string): Problem | undefined {
  return arrive(file, (path) => copyFileSync(from, path));
}

/** The same into a pipe too, whose reader may be slow. */
export async function sendWhole(from: string, file: string): Promise<Problem | undefined> {
  try {
    const target = targetOf(file);
    if (target.kind === "replace") return copyWhole(from, file);
    await pipeline(createReadStream(from), createWriteStream(target.path));
    return undefined;
  } catch (error) {
    return notWritten(file, error);
  }
}

/** A file is replaced, or made; a pipe, a device, and a file in a folder that takes no other are written into. */
type Target =
  | { kind: "replace"; path: string; mode?: number }
  | { kind: "into" | "folder"; path: string };

function targetOf(file: string): Target {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return { kind: "replace", path: file };
  const path = realpathSync(file);
  if (stat.isDirectory()) return { kind: "folder", path };
  if (!stat.isFile() || !takesFiles(dirname(path))) return { kind: "into", path };
  return { kind: "replace", path, mode: stat.mode };
}

function takesFiles(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function arrive(file: string, write: (path: string) => void): Problem | undefined {
  let part: string | undefined;
  try {
    const target = targetOf(file);
    if (target.kind !== "replace") {
      write(target.path);
      return undefined;
    }
    part = `${target.path}.${process.pid}.part`;
    write(part);
    if (target.mode !== undefined) chmodSync(part, target.mode);
    renameSync(part, target.path);
    return undefined;
  } catch (error) {
    if (part !== undefined) rmSync(part, { force: true });
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
