import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Problem } from "#snapshots/problem.ts";
import { strayOf } from "../verify/stray.ts";

/** One row or tombstone, its key and values as JSON (docs/types.md). `row` null: there is no living row. */
export type LedgerRow = {
  key: string;
  part: number;
  version: bigint;
  topic: string;
  partition: number;
  offset: number;
  row: string | null;
  /** Undefined: never. */
  expiresMs?: number | undefined;
};

/** While a sink was read, by the clock here. */
export type ReadTime = { fromMs: number; toMs: number };

/** Sinks let go of a row some time around its moment: at Cassandra's second, by a clock of its own. */
const CLOCKS_MS = 60_000;

/** `isOld`: written from before the log's start: only a newer record of its identity says what it should be. */
export type FoundRow = LedgerRow & { isOld: boolean };

/** How two sides of a ledger compare. left = equal + changed + removed + moving.left; right = equal + changed + added + unverifiable + moving.right. */
export type LedgerCounts = {
  left: number;
  right: number;
  equal: number;
  changed: number;
  added: number;
  removed: number;
  unverifiable: number;
  /** Rows whose identity has records beyond the cut, or that expired while the sink was read: they cannot be judged. */
  moving: { left: number; right: number };
};

/** Which row differs, and the newest record of its identity. */
export type LedgerFault = {
  key: string;
  /** The document that lies under no identity. */
  stray?: string;
  /** The partition of the identity's newest record, and of which topic; null where there is none. */
  topic: string | null;
  partition: number | null;
  /** Where that record is in it. */
  offset: number | null;
  /** Of the row that was found. */
  version: string | null;
};

export type LedgerDifference = Omit<LedgerFault, "version"> & {
  kind: "changed" | "added" | "removed";
  part: number;
  /** Where each side's row comes from: the topic's record. */
  expected: { partition: number; offset: number; row: string } | null;
  found: { partition: number; offset: number; version: string; row: string } | null;
};

/**
 * What should be in a sink beside what is, both sides spilling to disk. Expected effects may come in any order and more than once: the newest
 * version of each key and part counts.
 */
export type RowLedger = {
  /** `isPart`: of a record that may have several. */
  expect(rows: readonly LedgerRow[], isPart?: boolean): void;
  /** Identities with records beyond the cut. */
  move(keys: readonly string[]): void;
  /** Offsets `first` … before `next` of which the log holds no record: trimmed while it was read, or compacted away. */
  skip(gap: { topic: string; partition: number; first: number; next: number }): void;
  find(rows: readonly FoundRow[]): void;
  /** Records the sink refused: dead letters, whose effects are not expected in it. Of several parts it may hold some, unless `isWhole`. */
  refuse(
    places: readonly { topic: string; partition: number; offset: number; isWhole: boolean }[],
  ): void;
  /** Forgets what was found and refused, for the next sink. */
  forget(): Promise<void>;
  /** What had expired before `read` lives on neither side. */
  counts(read?: ReadTime): Promise<LedgerCounts>;
  /** Ordered by key and part. */
  differences(limit: number): Promise<LedgerDifference[]>;
  /** As many as are asked for, in any order and a few at a time: there may be a million. */
  faults(limit: number): AsyncIterable<LedgerFault[]>;
  close(): Promise<void>;
};

export async function openRowLedger({ memoryLimit = "1GB" } = {}): Promise<RowLedger> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-verify-"));
  const instance = await DuckDBInstance.create(":memory:", {
    temp_directory: folder,
    memory_limit: memoryLimit,
    threads: "2",
    preserve_insertion_order: "false",
  });
  const connection = await instance.connect();
  const row =
    "key VARCHAR, part INTEGER, version BIGINT, topic VARCHAR, partition INTEGER, record_offset BIGINT, json VARCHAR, expires_ms BIGINT";
  await connection.run(`create table effects (${row}, is_part BOOLEAN)`);
  await connection.run(`create table found (${row}, is_old BOOLEAN)`);
  await connection.run("create table moving (key VARCHAR)");
  await connection.run(
    "create table refused (topic VARCHAR, partition INTEGER, record_offset BIGINT, is_whole BOOLEAN)",
  );
  await connection.run(
    "create table gaps (topic VARCHAR, partition INTEGER, first BIGINT, next BIGINT)",
  );
  const effects = await connection.createAppender("effects");
  let found = await connection.createAppender("found");
  const moving = await connection.createAppender("moving");
  const gaps = await connection.createAppender("gaps");
  let refused = await connection.createAppender("refused");

  /** Appended rows are seen once their appender is flushed. */
  function flush(): void {
    effects.flushSync();
    found.flushSync();
    moving.flushSync();
    gaps.flushSync();
    refused.flushSync();
  }

  function append(appender: typeof effects, one: LedgerRow): void {
    appender.appendVarchar(one.key);
    appender.appendInteger(one.part);
    appender.appendBigInt(one.version);
    appender.appendVarchar(one.topic);
    appender.appendInteger(one.partition);
    appender.appendBigInt(BigInt(one.offset));
    if (one.row === null) appender.appendNull();
    else appender.appendVarchar(one.row);
    if (one.expiresMs === undefined) appender.appendNull();
    else appender.appendBigInt(BigInt(one.expiresMs));
  }

  return {
    expect(rows, isPart = false) {
      for (const one of rows) {
        append(effects, one);
        effects.appendBoolean(isPart);
        effects.endRow();
      }
      effects.flushSync();
    },
    move(keys) {
      for (const key of keys) {
        moving.appendVarchar(key);
        moving.endRow();
      }
    },
    skip({ topic, partition, first, next }) {
      gaps.appendVarchar(topic);
      gaps.appendInteger(partition);
      gaps.appendBigInt(BigInt(first));
      gaps.appendBigInt(BigInt(next));
      gaps.endRow();
    },
    find(rows) {
      for (const one of rows) {
        append(found, one);
        found.appendBoolean(one.isOld);
        found.endRow();
      }
      found.flushSync();
    },
    refuse(places) {
      for (const { topic, partition, offset, isWhole } of places) {
        refused.appendVarchar(topic);
        refused.appendInteger(partition);
        refused.appendBigInt(BigInt(offset));
        refused.appendBoolean(isWhole);
        refused.endRow();
      }
    },
    async forget() {
      flush();
      found.closeSync();
      refused.closeSync();
      await connection.run("delete from found");
      await connection.run("delete from refused");
      found = await connection.createAppender("found");
      refused = await connection.createAppender("refused");
    },
    async counts(read = { fromMs: 0, toMs: 0 }) {
      flush();
      for (const step of [NEWEST, comparedAt(read), JUDGED]) await connection.run(step);
      const reader = await connection.runAndReadAll(COUNTS);
      const counted = reader.getRowObjectsJS()[0] ?? {};
      const of = (name: string): number => Number(counted[name] ?? 0);
      return {
        left: of("l"),
        right: of("r"),
        equal: of("equal"),
        changed: of("changed"),
        added: of("added"),
        removed: of("removed"),
        unverifiable: of("unverifiable"),
        moving: { left: of("moving_left"), right: of("moving_right") },
      };
    },
    async differences(limit) {
      const reader = await connection.runAndReadAll(differencesOf(limit));
      return reader.getRowsJS().map((columns): LedgerDifference => {
        const [verdict, part, ePartition, eOffset, eJson, ...found] = columns.slice(FAULT_COLUMNS);
        const [fPartition, fOffset, fJson] = found;
        const { version, ...fault } = faultOf(columns);
        const side = (partition: unknown, offset: unknown, json: unknown) =>
          typeof json === "string"
            ? { partition: Number(partition), offset: Number(offset), row: json }
            : null;
        const foundSide = side(fPartition, fOffset, fJson);
        return {
          ...fault,
          kind: verdict === "added" ? "added" : verdict === "removed" ? "removed" : "changed",
          part: Number(part),
          expected: side(ePartition, eOffset, eJson),
          found: foundSide && { ...foundSide, version: version ?? "0" },
        };
      });
    },
    async *faults(limit) {
      const found = await connection.stream(`select ${FAULT} from (${DIFFERENT} limit ${limit}) d`);
      for await (const rows of found.yieldRowsJs()) yield rows.map(faultOf);
    },
    async close() {
      try {
        for (const appender of [effects, found, moving, gaps, refused]) appender.closeSync();
      } catch {
        // On a full disk they cannot write what they still hold, and nobody needs it.
      } finally {
        connection.closeSync();
        instance.closeSync();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

function faultOf([key, topic, partition, offset, version]: readonly unknown[]): LedgerFault {
  const text = String(key);
  const stray = strayOf(text);
  return {
    key: text,
    ...(stray === undefined ? {} : { stray }),
    topic: typeof topic === "string" ? topic : null,
    partition: partition === null ? null : Number(partition),
    offset: offset === null ? null : Number(offset),
    version: typeof version === "string" ? version : null,
  };
}

/** What a ledger's failure says where it has no room to spill to; undefined for any other. */
export function noRoom(cause: unknown): Problem | undefined {
  const message = cause instanceof Error ? cause.message : "";
  if (!/No space left on device|Out of Memory Error|failed to offload/.test(message))
    return undefined;
  return {
    code: "verify-no-room",
    message: `There is no room for what the verify compares: ${message.split("\n")[0]}`,
    hint: `It is kept in ${tmpdir()} meanwhile: free space there, or set TMPDIR to a folder on a larger disk.`,
  };
}

/** Of each key and part the newest record that was not refused. Texts stay where they are, on the disk: those in an aggregate are held in memory. */
const NEWEST = `create or replace temp table newest as
with refusals as (select topic, partition, record_offset, bool_or(is_whole) as is_whole from refused group by all)
select key, part, max(version) as version, arg_max(e.rowid, version) as id, arg_max(r.topic is not null, version) as optional
from effects e left join refusals r using (topic, partition, record_offset) where r.topic is null or (is_part and not r.is_whole) group by key, part`;

/** Living rows of both sides, each key and part once; of equal ones nothing more. One that is not expected goes by its own moment. */
const comparedAt = ({ fromMs, toMs }: ReadTime): string => `create or replace temp table compared as
with expected as (
  select n.key, n.part, n.id, n.optional, e.json, e.expires_ms from newest n join effects e on e.rowid = n.id
  where e.json is not null and coalesce(e.expires_ms >= ${fromMs - CLOCKS_MS}, true)
),
living as (select key, part, rowid as id, json, expires_ms from found where json is not null and coalesce(expires_ms >= ${fromMs - CLOCKS_MS}, true))
select coalesce(e.json = f.json, false) as is_equal, if(is_equal, null, coalesce(e.key, f.key)) as key, if(is_equal, null, coalesce(e.part, f.part)) as part,
  if(is_equal, null, e.id) as e_id, if(is_equal, null, f.id) as f_id,
  coalesce(if(e.id is null, f.expires_ms, e.expires_ms) <= ${toMs + CLOCKS_MS}, false) as is_expiring
from expected e full join living f on e.key = f.key and e.part = f.part where f.id is not null or not e.optional`;

/**
 * Those that are not equal, each with one verdict. A record is newer than a row by its version, or by its offset in the row's partition: versions of
 * before a state database was lost say nothing.
 */
const JUDGED = `create or replace temp table judged as
with held as (
  select f.rowid as id, f.topic, f.partition, f.record_offset, f.version, f.is_old or coalesce(f.record_offset < g.next, false) as is_gone
  from found f asof left join gaps g on f.topic = g.topic and f.partition = g.partition and f.record_offset >= g.first
),
moved as (select distinct key from moving),
latest as (select key, max(version) as version, arg_max(id, version) as id from newest group by key),
recorded as (select l.key, l.version, e.topic, e.partition, e.record_offset from latest l join effects e on e.rowid = l.id)
select c.key, c.part, c.e_id, c.f_id, f.version as f_version, k.topic as k_topic, k.partition as k_partition, k.record_offset as k_offset,
  case when m.key is not null or c.is_expiring then 'moving'
    when f.is_gone and not coalesce(k.version >= f.version or (k.topic = f.topic and k.partition = f.partition and k.record_offset >= f.record_offset), false) then 'unverifiable'
    when c.e_id is null then 'added' when c.f_id is null then 'removed' else 'changed' end as verdict
from compared c left join held f on f.id = c.f_id left join moved m on m.key = c.key left join recorded k on k.key = c.key where not is_equal`;

const COUNTS = `select equal, equal + count(e_id) filter (verdict <> 'unverifiable') as l, equal + count(f_id) as r,
  count(*) filter (verdict = 'changed') as changed, count(*) filter (verdict = 'added') as added, count(*) filter (verdict = 'removed') as removed,
  count(*) filter (verdict = 'unverifiable') as unverifiable,
  count(e_id) filter (verdict = 'moving') as moving_left, count(f_id) filter (verdict = 'moving') as moving_right
from (select count(*) as equal from compared where is_equal) left join judged on true group by equal`;

const DIFFERENT = "select * from judged where verdict in ('changed', 'added', 'removed')";
const FAULT = "d.key, d.k_topic, d.k_partition, d.k_offset, d.f_version::varchar";
const FAULT_COLUMNS = 5;

/** The first by key and part. */
const differencesOf = (
  limit: number,
): string => `with first as (${DIFFERENT} order by key, part limit ${limit})
select ${FAULT}, d.verdict, d.part, e.partition, e.record_offset, e.json, f.partition, f.record_offset, f.json
from first d left join effects e on e.rowid = d.e_id left join found f on f.rowid = d.f_id order by d.key, d.part`;
