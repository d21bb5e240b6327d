import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { serialise } from "./notebook.ts";
import { startSession } from "./session.ts";
import { reloaded } from "./session-edit.ts";
import { type CellRecord, type Session } from "./session-state.ts";

/** What is known of an open notebook beyond its file: results by cell, and edits not yet saved. Written by this module only. */
const fileSchema = z.object({
  format: z.literal(2),
  text: z.string(),
  savedText: z.string(),
  ids: z.array(z.string()),
  nextId: z.int(),
  records: z.record(
    z.string(),
    z.custom<CellRecord>((value) => typeof value === "object" && value !== null),
  ),
  /** Values as the guest encoded them, by cell and name. */
  values: z.record(z.string(), z.record(z.string(), z.unknown())),
});

export type SessionValues = Record<string, Record<string, unknown>>;

export async function writeSessionFile(
  path: string,
  session: Session,
  values: SessionValues,
): Promise<void> {
  const { savedText, ids, nextId, records } = session;
  const text = JSON.stringify({
    format: 2,
    text: serialise(session.notebook),
    savedText,
    ids,
    nextId,
    records,
    values,
  });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/**
 * The session over the file as it is now, with what was kept of it. Edits that were not saved come back; when the file
 * changed meanwhile, they come back as a conflict.
 */
export async function readSessionFile(
  path: string,
  name: string,
  notebookPath: string,
  onDisk: string,
): Promise<{ session: Session; values: SessionValues }> {
  const kept = await readKept(path);
  if (!kept || kept.ids.length === 0)
    return { session: startSession(name, notebookPath, onDisk), values: {} };
  const before: Session = {
    ...startSession(name, notebookPath, kept.text),
    records: kept.records,
    nextId: kept.nextId,
    savedText: kept.savedText,
  };
  if (before.ids.length !== kept.ids.length)
    return { session: startSession(name, notebookPath, onDisk), values: {} };
  const session = { ...before, ids: kept.ids };
  const hasEdits = kept.text !== kept.savedText;
  return { session: hasEdits ? session : reloaded(session, onDisk).session, values: kept.values };
}

async function readKept(path: string): Promise<z.infer<typeof fileSchema> | undefined> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    // Lost or of another version: results are made again, nothing of the user's is in it alone but unsaved edits.
    return undefined;
  }
}
