import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openReviewRecords, type ReviewRecords } from "./review/review-records.ts";
import type { TransformName } from "./review/transform-name.ts";

/** One execution of anything asked for or scheduled. */
export type Run = {
  id: number;
  kind: "build" | "compare" | "reconcile";
  subject: string;
  startedAt: string;
  endedAt: string | null;
  status: "running" | "done" | "failed";
  details: unknown;
};

/** Who did what, and the commit that did it. Never changed, never removed. */
export type AuditRow = {
  id: number;
  at: string;
  by: string;
  action:
    | "promote"
    | "rollback"
    | "approve"
    | "build"
    | "pause"
    | "resume"
    | "dismiss"
    | "restore"
    | "read-generation"
    | "drop-generation";
  environment: string | null;
  transform: string;
  release: string | null;
  commit: string | null;
  details: unknown;
};

export type State = {
  /** Recorded before the work begins, so that a killed run is seen as one. */
  beginRun(run: { kind: Run["kind"]; subject: string; at: Date }): number;
  endRun(id: number, end: { status: "done" | "failed"; at: Date; details?: unknown }): void;
  runs(limit: number): Run[];
  audit(row: Omit<AuditRow, "id" | "at"> & { at: Date }): void;
  auditRows(request: { environment?: string; transform?: string; limit: number }): AuditRow[];
  putComparison(comparison: { id: string; document: unknown }): void;
  /** Somebody asked for it: it is among the recent ones. Those behind plans and evidence are only kept. */
  askComparison(id: string, at: Date): void;
  comparison(id: string): unknown;
  recentComparisons(limit: number, of?: TransformName): { askedAt: string; document: unknown }[];
  /** What people said of comparisons. */
  said: ReviewRecords;
  close(): void;
};

// Numbered for ever: a migration that has run on somebody's machine is never edited, only followed by another.
const migrations = [
  `CREATE TABLE runs (
     id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, started_at TEXT NOT NULL,
     ended_at TEXT, status TEXT NOT NULL, details TEXT NOT NULL
   ) STRICT;
   CREATE TABLE audit (
     id INTEGER PRIMARY KEY, at TEXT NOT NULL, by TEXT NOT NULL, action TEXT NOT NULL, environment TEXT,
     transform TEXT NOT NULL, release TEXT, commit_id TEXT, details TEXT NOT NULL
   ) STRICT;
   CREATE INDEX audit_by_pipeline ON audit (environment, transform, id);
   CREATE TABLE comparisons (
     id TEXT PRIMARY KEY, asked_at TEXT, document TEXT NOT NULL
   ) STRICT;`,
  `ALTER TABLE comparisons ADD COLUMN notebook TEXT GENERATED ALWAYS AS (document ->> '$.notebook') VIRTUAL;
   ALTER TABLE comparisons ADD COLUMN transform TEXT GENERATED ALWAYS AS (document ->> '$.transform') VIRTUAL;
   CREATE INDEX comparisons_by_transform ON comparisons (notebook, transform, asked_at);
   CREATE TABLE reviews (
     id INTEGER PRIMARY KEY, comparison TEXT NOT NULL, notebook TEXT NOT NULL, transform TEXT NOT NULL,
     at TEXT NOT NULL, by TEXT NOT NULL, note TEXT NOT NULL
   ) STRICT;
   CREATE INDEX reviews_by_transform ON reviews (notebook, transform, id);
   CREATE TABLE remarks (
     id INTEGER PRIMARY KEY, notebook TEXT NOT NULL, transform TEXT NOT NULL, at TEXT NOT NULL, by TEXT NOT NULL,
     remark TEXT NOT NULL, removed_at TEXT, removed_by TEXT
   ) STRICT;
   CREATE INDEX remarks_by_transform ON remarks (notebook, transform, id);`,
];

/**
 * What did happen: runs, audit, comparisons. WAL with synchronous FULL, so that what was reported as done survives
 * a power cut. The pipelines keep their own tables in the same file (promote/sync).
 */
export function openState(path: string): State {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path);
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;",
  );
  migrate(database);
  // Whoever was running these is gone: one process holds a workspace.
  const abandon = database.prepare(
    "UPDATE runs SET status = 'failed', details = ? WHERE ended_at IS NULL",
  );
  const one = {
    beginRun: database.prepare(
      "INSERT INTO runs (kind, subject, started_at, status, details) VALUES (?, ?, ?, 'running', 'null')",
    ),
    endRun: database.prepare("UPDATE runs SET ended_at = ?, status = ?, details = ? WHERE id = ?"),
    runs: database.prepare(
      `SELECT id, kind, subject, started_at AS startedAt, ended_at AS endedAt, status, details
       FROM runs ORDER BY id DESC LIMIT ?`,
    ),
    audit: database.prepare(
      `INSERT INTO audit (at, by, action, environment, transform, release, commit_id, details)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    auditRows: database.prepare(
      `SELECT id, at, by, action, environment, transform, release, commit_id AS "commit", details FROM audit
       WHERE (:environment IS NULL OR environment = :environment) AND (:transform IS NULL OR transform = :transform)
       ORDER BY id DESC LIMIT :limit`,
    ),
    putComparison: database.prepare(
      `INSERT INTO comparisons (id, document) VALUES (?, ?)
       ON CONFLICT (id) DO UPDATE SET document = excluded.document`,
    ),
    askComparison: database.prepare("UPDATE comparisons SET asked_at = ? WHERE id = ?"),
    comparison: database.prepare("SELECT document FROM comparisons WHERE id = ?"),
    recentComparisons: database.prepare(
      `SELECT document, asked_at FROM comparisons
       WHERE asked_at IS NOT NULL AND (:transform IS NULL OR (notebook = :notebook AND transform = :transform))
       ORDER BY asked_at DESC LIMIT :limit`,
    ),
  };
  abandon.run(JSON.stringify({ reason: "The process that ran it was stopped." }));

  return {
    beginRun: ({ kind, subject, at }) =>
      Number(one.beginRun.run(kind, subject, at.toISOString()).lastInsertRowid),
    endRun: (id, { status, at, details }) => {
      one.endRun.run(at.toISOString(), status, JSON.stringify(details ?? null), id);
    },
    runs: (limit) => one.runs.all(limit).map((row) => withDetails(row) as Run),
    audit: (row) => {
      one.audit.run(
        row.at.toISOString(),
        row.by,
        row.action,
        row.environment,
        row.transform,
        row.release,
        row.commit,
        JSON.stringify(row.details ?? null),
      );
    },
    auditRows: ({ environment, transform, limit }) =>
      one.auditRows
        .all({ environment: environment ?? null, transform: transform ?? null, limit })
        .map((row) => withDetails(row) as AuditRow),
    putComparison: ({ id, document }) => {
      one.putComparison.run(id, JSON.stringify(document));
    },
    askComparison: (id, at) => {
      one.askComparison.run(at.toISOString(), id);
    },
    comparison: (id) => documentOf(one.comparison.get(id)),
    recentComparisons: (limit, of) =>
      one.recentComparisons
        .all({ limit, notebook: of?.notebook ?? null, transform: of?.transform ?? null })
        .map((row) => ({ askedAt: String(row["asked_at"]), document: documentOf(row) })),
    said: openReviewRecords(database),
    close: () => database.close(),
  };
}

/** Two processes may come to an old file at once: what is left to do is read with the file locked. */
function migrate(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec(
      "CREATE TABLE IF NOT EXISTS promote_migrations (number INTEGER PRIMARY KEY, at TEXT)",
    );
    const row = database.prepare("SELECT max(number) AS done FROM promote_migrations").get();
    const done = Number(row?.["done"] ?? 0);
    const note = database.prepare(
      "INSERT INTO promote_migrations (number, at) VALUES (?, datetime('now'))",
    );
    for (const [index, migration] of migrations.entries()) {
      if (index < done) continue;
      database.exec(migration);
      note.run(index + 1);
    }
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

function documentOf(row: Record<string, unknown> | undefined): unknown {
  return row && JSON.parse(String(row["document"]));
}

// The columns are this file's own, written by the statements above.
function withDetails(row: Record<string, unknown>): Record<string, unknown> & { details: unknown } {
  return { ...row, details: JSON.parse(String(row["details"])) };
}
