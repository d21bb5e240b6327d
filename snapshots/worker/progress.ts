import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";

export type Progress = (fraction: number, rows: number) => void;

/** Tells how far the running query is, a few times a second, until the returned function is called. */
export function watchProgress(connection: Connection, progress: Progress): () => void {
  let last = -1;
  const timer = setInterval(() => {
    const { percentage, rows_processed: rows } = duckdb.query_progress(connection);
    if (percentage <= last) return;
    last = percentage;
    progress(Math.min(1, percentage / 100), Number(rows));
  }, 100);
  return () => clearInterval(timer);
}
