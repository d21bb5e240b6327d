import type { Result } from "../problem.ts";
import type { Limits, MadeTable } from "../protocol.ts";
import { attach, closeDatabase, openDatabase } from "./database.ts";
import { hashTable } from "./table-file.ts";

/** The content hash and columns of a finished table file. */
export async function hashFile(path: string, limits: Limits): Promise<Result<MadeTable>> {
  const open = await openDatabase(limits, limits.threads);
  try {
    await attach(open.connection, path, "made", "READ_ONLY");
    return await hashTable(open.connection, "made");
  } finally {
    closeDatabase(open);
  }
}
