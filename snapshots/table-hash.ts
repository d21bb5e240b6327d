import { createHash } from "node:crypto";
import type { Pool } from "./pool.ts";
import { ok, type Result } from "./problem.ts";
import type { ColumnDigest, DigestColumn, MadeTable } from "./protocol.ts";
import type { TableInfo } from "./table.ts";
import { hasRowId } from "./row-id.ts";

/** Below this a second process would take longer to reach than to help. */
const sharedFromRows = 200_000;

/**
 * The content hash of a table just made (docs/types.md). Each column is hashed by itself, so that two processes share the work where it
 * is worth it; how it was shared has no part in the hash.
 */
export async function hashMade(
  pool: Pool,
  path: string,
  made: MadeTable,
  signal: AbortSignal | undefined,
): Promise<Result<Omit<TableInfo, "sizeBytes">>> {
  const columns: DigestColumn[] = [
    ...made.data.map((column) => ({ ...column, table: "data" as const })),
    ...made.lineage.map((column) => ({ ...column, table: "lineage" as const })),
  ];
  const shares = made.rows < sharedFromRows ? [columns] : inHalves(columns);
  const answers = await Promise.all(
    shares.map((share) =>
      pool.call<"digest">(
        {
          kind: "digest",
          path,
          columns: share,
          rows: made.rows,
          hasOwnRowId: !hasRowId(made.data),
        },
        { signal },
      ),
    ),
  );
  const digests = new Map<DigestColumn, ColumnDigest>();
  for (const [index, answer] of answers.entries()) {
    if (!answer.ok) return answer;
    shares[index]?.forEach((column, i) => {
      const digest = answer.value[i];
      if (digest) digests.set(column, digest);
    });
  }
  const all = createHash("sha256");
  const schema = columns.map(({ name, type }) => [name, type]);
  all.update(JSON.stringify({ penstock: 1, schema, rows: made.rows, hidden: made.lineage.length }));
  for (const column of columns) all.update(Buffer.from(digests.get(column)?.digest ?? "", "hex"));
  return ok({
    hash: all.digest("hex"),
    columns: columns
      .filter((column) => column.table === "data")
      .map((column) => ({
        name: column.name,
        type: column.type,
        nullable: digests.get(column)?.hasNulls ?? true,
      })),
    rows: made.rows,
    hasLineage: made.lineage.length > 0,
  });
}

/** Two shares of about the same work. */
function inHalves(columns: DigestColumn[]): DigestColumn[][] {
  const shares: { columns: DigestColumn[]; work: number }[] = [
    { columns: [], work: 0 },
    { columns: [], work: 0 },
  ];
  const byWork = columns.toSorted((a, b) => workOf(b) - workOf(a));
  for (const column of byWork) {
    const [lightest] = shares.toSorted((a, b) => a.work - b.work);
    if (lightest === undefined) continue;
    lightest.columns.push(column);
    lightest.work += workOf(column);
  }
  return shares.map((share) => share.columns).filter((share) => share.length > 0);
}

function workOf({ type }: DigestColumn): number {
  if (/\[|\(/.test(type)) return 6;
  return type === "VARCHAR" || type === "BLOB" || type === "JSON" ? 3 : 2;
}
