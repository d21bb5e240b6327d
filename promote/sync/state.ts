import { DatabaseSync } from "node:sqlite";
import { TRANSITION_SPAN } from "./order/version.ts";

/**
 * Sync's own tables in the workspace's state database: epochs, offsets with the counts up to them, releases that epochs name,
 * dead letters. One commit per batch moves the offset, the counts and the dead letters together, so that they agree after a kill.
 */
export function openSyncState(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  database.exec("pragma journal_mode = wal; pragma synchronous = full");
  inTransaction(database, () => {
    migrate(database);
    database.exec(TABLES);
  });
  return database;
}

/** Brings a database of an earlier layout to this one; what it says stays. */
function migrate(database: DatabaseSync): void {
  const has = (table: string, column: string): boolean =>
    database.prepare("select 1 from pragma_table_info(?) where name = ?").get(table, column) !==
    undefined;
  // First, since an index names the column.
  if (has("sync_dead_letters", "stage") && !has("sync_dead_letters", "dismissed_at"))
    database.exec(
      "alter table sync_dead_letters add column dismissed_at text; alter table sync_dead_letters add column dismissed_by text",
    );
  if (has("sync_epochs", "epoch") && !has("sync_epochs", "ordering")) {
    database.exec("alter table sync_epochs rename to sync_epochs_1");
    database.exec(TABLES);
    database.exec(`insert into sync_epochs (environment, name, epoch, topic, incarnation, partition, first_offset, release, reason, opened_at)
      select environment, name, epoch, topic, incarnation, partition, first_offset, release, reason, opened_at from sync_epochs_1`);
    database.exec("drop table sync_epochs_1");
  }
  if (has("sync_epochs", "ordering") && !has("sync_epochs", "transition")) {
    database.exec("alter table sync_epochs add column transition integer");
    database.exec("alter table sync_epochs add column origin integer");
    database.exec(REOPENED_TRANSITIONS);
  }
  if (has("sync_offsets", "next_offset") && !has("sync_offsets", "owner"))
    database.exec("alter table sync_offsets add column owner text");
  if (has("sync_offsets", "next_offset") && !has("sync_offsets", "passed_ms"))
    database.exec(
      "alter table sync_offsets add column passed_ms real not null default 0; alter table sync_offsets add column caught_up_ms real not null default 0",
    );
  if (has("sync_rewrites", "rewrite") && !has("sync_rewrites", "ask")) {
    database.exec("alter table sync_rewrites add column ask integer");
    database.exec("alter table sync_rewrites add column lowest integer");
    database.exec(BACKFILLS_OF_ONE_ASK);
  }
  if (has("sync_pipelines", "is_paused") && !has("sync_pipelines", "resumes"))
    database.exec("alter table sync_pipelines add column resumes integer not null default 0");
  if (has("sync_pipelines", "is_paused") && !has("sync_pipelines", "halts"))
    database.exec(
      "alter table sync_pipelines add column halts integer not null default 0; alter table sync_pipelines add column halted text",
    );
}

/** Versions within a transition were others before: one that goes on does so in another transition, above what was written. */
const REOPENED_TRANSITIONS = `
insert into sync_epochs (environment, name, epoch, topic, incarnation, partition, first_offset, release, reason, opened_at, ordering, partitions, until_ms)
  select environment, name,
    (select max(epoch) + ${TRANSITION_SPAN} from sync_epochs as every_one where every_one.environment = old.environment and every_one.name = old.name),
    topic, incarnation, partition, coalesce(next_offset, first_offset), release, reason, opened_at, ordering, partitions, until_ms
  from sync_epochs as old left join sync_offsets using (environment, name, topic, incarnation, partition)
  where ordering = 'timestamp' and not exists (
    select 1 from sync_epochs as later where later.environment = old.environment and later.name = old.name
      and later.topic = old.topic and later.partition = old.partition and later.epoch > old.epoch)`;

/** What was asked at once was not kept before. */
const BACKFILLS_OF_ONE_ASK = `
update sync_rewrites set ask = (
  select min(rewrite) from sync_rewrites as one where one.environment = sync_rewrites.environment and one.name = sync_rewrites.name
    and one.incarnation = sync_rewrites.incarnation and one.reason = 'backfill' and one.asked_at = sync_rewrites.asked_at)
  where reason = 'backfill'`;

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
  is_paused integer not null default 0, resumes integer not null default 0,
  halts integer not null default 0, halted text,
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
  ordering text not null default 'offset', partitions integer not null default 1, until_ms real,
  transition integer, origin integer,
  primary key (environment, name, epoch, topic, incarnation, partition)
) strict;
create table if not exists sync_offsets (
  environment text not null, name text not null,
  topic text not null, incarnation text not null, partition integer not null,
  next_offset integer not null,
  owner text,
  passed_ms real not null default 0, caught_up_ms real not null default 0,
  primary key (environment, name, topic, incarnation, partition)
) strict;
create table if not exists sync_rewrites (
  rewrite integer primary key,
  environment text not null, name text not null,
  topic text not null, incarnation text not null, partition integer not null,
  from_offset integer not null, to_offset integer, epoch integer, release text, ask integer, lowest integer,
  selection text not null, reason text not null, state text not null, asked_at text not null,
  written integer not null default 0, dead_lettered integer not null default 0
) strict;
create table if not exists sync_workers (
  environment text not null, name text not null, worker text not null,
  report text not null, seen_ms real not null,
  primary key (environment, name, worker)
) strict;
create table if not exists sync_dead_letters (
  environment text not null, name text not null,
  topic text not null, incarnation text not null, partition integer not null, record_offset integer not null,
  stage text not null, reason text not null, release text not null,
  record_key blob, record_value blob, headers text not null, record_at real not null, at text not null,
  dismissed_at text, dismissed_by text,
  primary key (environment, name, topic, incarnation, partition, record_offset, stage)
) strict;
-- Letters are grouped and listed from this alone: what stands behind a value in a row is read only through all of the value.
create index if not exists sync_dead_letters_by_reason on sync_dead_letters
  (environment, name, (dismissed_at is null), stage, reason, at, topic, incarnation, partition, record_offset);
create table if not exists sync_conflicts (
  environment text not null, name text not null, part text not null, schema_id integer not null,
  subject text, writer_schema text not null, reader_schema text not null, conflict text not null, seen_at text not null,
  primary key (environment, name, part, schema_id)
) strict;
create table if not exists sync_expectations (
  environment text not null, name text not null, expectation text not null, minute integer not null,
  checked integer not null, failed integer not null, example text, is_cut_short integer not null default 0,
  primary key (environment, name, expectation, minute)
) strict;
create table if not exists sync_judged_minutes (
  environment text not null, name text not null, expectation text not null,
  topic text not null, incarnation text not null, next_minute integer not null,
  primary key (environment, name, expectation)
) strict;
create table if not exists sync_halts (
  environment text not null, name text not null, expectation text not null,
  topic text not null, incarnation text not null, partition integer not null, record_offset integer not null,
  minute integer not null,
  primary key (environment, name, expectation, topic, incarnation, partition, record_offset)
) strict;
`;
