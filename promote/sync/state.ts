import { DatabaseSync } from "node:sqlite";

/**
 * Sync's own tables in the workspace's state database: epochs, offsets with the counts up to them, releases that epochs name,
 * dead letters. One commit per batch moves the offset, the counts and the dead letters together, so that they agree after a kill.
 */
export function openSyncState(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  database.exec("pragma journal_mode = wal; pragma synchronous = full");
  database.exec(TABLES);
  return database;
}

/** Runs `body` in one transaction that is durable when this returns. */
export function inTransaction<T>(database: DatabaseSync, body: () => T): T {
  database.exec("begin immediate");
  try {
    const value = body();
    database.exec("commit");
    return value;
  } catch (cause) {
    database.exec("rollback");
    throw cause;
  }
}

const TABLES = `
create table if not exists sync_releases (
  release text primary key,
  spec text not null,
  bundle text not null
) strict;
create table if not exists sync_pipelines (
  environment text not null, name text not null,
  is_paused integer not null default 0,
  read integer not null default 0, written integer not null default 0, filtered integer not null default 0,
  stale integer not null default 0, dead_lettered integer not null default 0, retracted integer not null default 0,
  primary key (environment, name)
) strict;
create table if not exists sync_epochs (
  environment text not null, name text not null, epoch integer not null,
  topic text not null, incarnation text not null, partition integer not null,
  first_offset integer not null,
  release text not null references sync_releases (release),
  reason text not null, opened_at text not null,
  primary key (environment, name, epoch)
) strict;
create table if not exists sync_offsets (
  environment text not null, name text not null,
  topic text not null, incarnation text not null, partition integer not null,
  next_offset integer not null,
  primary key (environment, name, topic, incarnation, partition)
) strict;
create table if not exists sync_dead_letters (
  environment text not null, name text not null,
  topic text not null, incarnation text not null, partition integer not null, record_offset integer not null,
  stage text not null, reason text not null, release text not null,
  record_key blob, record_value blob, headers text not null, record_at real not null, at text not null,
  primary key (environment, name, topic, incarnation, partition, record_offset, stage)
) strict;
`;
