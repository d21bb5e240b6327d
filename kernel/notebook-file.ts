import { mkdirSync, watch, type FSWatcher } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** The folder is watched, not the file: editors replace files. */
export function watchFile(fileName: string, onChange: () => void): FSWatcher {
  const folder = dirname(fileName);
  mkdirSync(folder, { recursive: true });
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(folder, { persistent: false }, (_, changed) => {
    if (changed !== null && changed !== basename(fileName)) return;
    clearTimeout(timer);
    timer = setTimeout(onChange, 60);
    timer.unref();
  });
  watcher.on("error", () => watcher.close());
  return watcher;
}

/** The file's text; undefined when it cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Writes a text so that a reader sees all of it or the old one. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeFile(`${path}.saving`, text);
  await rename(`${path}.saving`, path);
}
