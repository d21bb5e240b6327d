import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unwrap } from "./problem.ts";
import { openQueries, type Queries } from "./queries.ts";
import { openContentStore, type ContentStore } from "./store.ts";
import type { TableInfo } from "./table.ts";
import { openWorkspace, type Workspace } from "./workspace.ts";

/** A workspace with its store and queries in a folder of its own, for tests. */
export type TemporaryWorkspace = {
  workspace: Workspace;
  store: ContentStore;
  queries: Queries;
  /** The table a query makes; throws its problem. */
  table(sql: string): Promise<TableInfo>;
  close(): Promise<void>;
};

export function temporaryWorkspace(
  files: Record<string, string> = {},
  memoryLimit = "1GB",
): TemporaryWorkspace {
  const root = mkdtempSync(join(tmpdir(), "penstock-test-"));
  for (const [path, text] of Object.entries({ "penstock.yaml": "name: test\n", ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const workspace = unwrap(openWorkspace(root));
  const store = openContentStore(workspace.paths.store);
  const queries = openQueries({ store, workspaceRoot: root, workers: 2, memoryLimit });
  return {
    workspace,
    store,
    queries,
    table: async (sql) => unwrap(await queries.sql({ sql, inputs: {} })),
    async close() {
      await queries.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
