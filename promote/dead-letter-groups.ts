import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { foldReason, sharedReason, type Folded } from "./dead-letter-causes.ts";
import {
  deadLetterRow,
  letterOf,
  type DeadLetter,
  type LetterPlace,
  type Stage,
} from "./sync/dead-letters/dead-letters.ts";
import type { PipelineId } from "./sync/order/epochs.ts";

/** Dead letters of one stage and cause. `id` names it in an address: it stays while letters come and go. */
export type LetterGroup = {
  id: string;
  stage: Stage;
  /** What the letters' reasons share; what differs between them is an ellipsis. */
  reason: string;
  count: number;
  /** When the first and the last of them failed. */
  first: string;
  last: string;
};

export type LetterGroups = {
  total: number;
  /** The largest first, and of many only those. */
  groups: LetterGroup[];
  groupsTotal: number;
  /** How many letters are open, and how many somebody dismissed: `total` is one of them. */
  open: number;
  dismissed: number;
};

/** The beginning of a record's key or value. */
export type Beginning = { start: Uint8Array; sizeBytes: number };

/** A letter as a list has it: of its bytes only the beginning. */
export type ListedLetter = Omit<DeadLetter, "key" | "value" | "headers"> & {
  key: Beginning | null;
  value: Beginning | null;
};

/** Who took a letter off the list, and when. */
export type Dismissal = { at: string; by: string };

export type OpenedLetter = DeadLetter & {
  group: string;
  dismissal: Dismissal | undefined;
  /** Other stages that refused the same record, each with a letter of its own. */
  others: { stage: Stage; group: string }[];
};

export type RoughPlace = Pick<LetterPlace, "topic" | "partition" | "offset"> & {
  [K in "incarnation" | "stage"]?: LetterPlace[K] | undefined;
};

/** Which letters: those somebody dismissed, or the others. */
export type Shelf = "open" | "dismissed";

/** Letters of any of these groups or stages. */
export type Several = { groups: readonly string[]; stages: readonly Stage[] };

/** A pipeline's dead letters as the page reads them: looks on, changes nothing. A box of many letters is gone through in turns, so that other work goes on. */
export type DeadLetterView = {
  groups(id: PipelineId, shelf?: Shelf): Promise<LetterGroups>;
  /** Letters of a group, or of all, newest first. */
  letters(
    id: PipelineId,
    wanted: { group?: string | undefined; shelf?: Shelf; offset: number; limit: number },
  ): Promise<{ total: number; letters: ListedLetter[] }>;
  /** The newest letter of a place: without a stage of any, without an incarnation of any making of the topic. */
  letter(id: PipelineId, place: RoughPlace): OpenedLetter | undefined;
  /** Where letters are, oldest first; with `until`, those that had failed by then. `absent`: the groups and stages that have none. */
  places(
    id: PipelineId,
    wanted: Several & { shelf?: Shelf; until?: string | undefined },
  ): Promise<{ places: LetterPlace[]; absent: string[] }>;
  close(): void;
};

const MOST_GROUPS = 500;
const BEGINNING_BYTES = 256;
/** After so many rows other work has its turn. */
const TURN_ROWS = 2_000;

/** `statePath`: the workspace's state database, in which the pipelines keep their letters. Close it. */
export function openDeadLetterView(statePath: string): DeadLetterView {
  const state = new DatabaseSync(statePath, { readOnly: true, timeout: 10_000 });

  const inShelf = "environment = ? and name = ? and (dismissed_at is null) = ?";
  const of = ({ environment, name }: PipelineId, shelf: Shelf) =>
    [environment, name, shelf === "open" ? 1 : 0] as const;
  const count = state.prepare(`select count(*) as count from sync_dead_letters where ${inShelf}`);
  const countOf = (id: PipelineId, shelf: Shelf): number =>
    countRow.parse(count.get(...of(id, shelf))).count;

  /** Every letter's row and group; its bytes stay where they are. */
  async function* members(id: PipelineId, shelf: Shelf): AsyncGenerator<Member> {
    const groups = new Map<string, string>();
    // A statement of its own: another look may go on between two turns.
    const rows = state
      .prepare(
        `select rowid, stage, reason, at from sync_dead_letters indexed by sync_dead_letters_by_reason where ${inShelf}`,
      )
      .iterate(...of(id, shelf));
    let seen = 0;
    for (const row of rows) {
      if (++seen % TURN_ROWS === 0) await setImmediate();
      const member = memberRow.parse(row);
      const folded = foldReason(member.reason);
      const key = `${member.stage}\0${folded.cause}`;
      const group = groups.get(key) ?? groupId(member.stage, folded);
      groups.set(key, group);
      yield { ...member, folded, group };
    }
  }

  async function rowids(id: PipelineId, shelf: Shelf, isWanted: (member: Member) => boolean) {
    const found: number[] = [];
    for await (const member of members(id, shelf)) if (isWanted(member)) found.push(member.rowid);
    return found;
  }

  const listed = state.prepare(
    `select topic, incarnation, partition, record_offset, stage, reason, release, record_at, at,
       substr(record_key, 1, ${BEGINNING_BYTES}) as key_start, length(record_key) as key_bytes,
       substr(record_value, 1, ${BEGINNING_BYTES}) as value_start, length(record_value) as value_bytes
     from sync_dead_letters where environment = ? and name = ? and rowid = ?`,
  );
  const placed = state.prepare(
    `select topic, incarnation, partition, record_offset as "offset", stage from sync_dead_letters
     where environment = ? and name = ? and rowid = ?`,
  );

  return {
    async groups(id, shelf = "open") {
      const groups = new Map<string, LetterGroup & { folded: Folded; differs: Set<number> }>();
      for await (const { group, stage, at, folded } of members(id, shelf)) {
        const known = groups.get(group) ?? {
          id: group,
          stage,
          reason: "",
          count: 0,
          first: at,
          last: at,
          folded,
          differs: new Set<number>(),
        };
        groups.set(group, known);
        known.count++;
        if (at < known.first) known.first = at;
        if (at > known.last) known.last = at;
        folded.values.forEach((value, i) => {
          if (value !== known.folded.values[i]) known.differs.add(i);
        });
      }
      const largest = [...groups.values()]
        .toSorted((a, b) => b.count - a.count || (a.last < b.last ? 1 : -1))
        .slice(0, MOST_GROUPS);
      const [open, dismissed] = [countOf(id, "open"), countOf(id, "dismissed")];
      return {
        total: shelf === "open" ? open : dismissed,
        groups: largest.map(({ folded, differs, ...group }): LetterGroup => ({
          ...group,
          reason: sharedReason(folded, differs),
        })),
        groupsTotal: groups.size,
        open,
        dismissed,
      };
    },
    async letters(id, { group, shelf = "open", offset, limit }) {
      const letterAt = (rowid: number): ListedLetter[] => {
        const row = listed.get(id.environment, id.name, rowid);
        return row === undefined ? [] : [listedOf(row)];
      };
      if (group !== undefined) {
        const own = await rowids(id, shelf, (member) => member.group === group);
        const all = own.toSorted((a, b) => b - a);
        return { total: all.length, letters: all.slice(offset, offset + limit).flatMap(letterAt) };
      }
      const rows = state
        .prepare(
          `select rowid from sync_dead_letters indexed by sync_dead_letters_by_reason where ${inShelf}
           order by rowid desc limit ? offset ?`,
        )
        .all(...of(id, shelf), limit, offset)
        .map((row) => rowidRow.parse(row).rowid);
      return { total: countOf(id, shelf), letters: rows.flatMap(letterAt) };
    },
    letter({ environment, name }, { topic, partition, offset, stage, incarnation }) {
      const rows = state
        .prepare(
          `select * from sync_dead_letters where environment = ? and name = ? and topic = ? and partition = ? and record_offset = ?
           order by rowid desc`,
        )
        .all(environment, name, topic, partition, offset)
        .map((row) => openedRow.parse(row));
      const row = rows.find(
        (one) =>
          (stage === undefined || one.stage === stage) &&
          (incarnation === undefined || one.incarnation === incarnation),
      );
      if (row === undefined) return undefined;
      const others = rows.filter(
        (one) => one.incarnation === row.incarnation && one.stage !== row.stage,
      );
      const { dismissed_at: at, dismissed_by: by } = row;
      return {
        ...letterOf(row),
        group: groupOf(row),
        dismissal: at === null ? undefined : { at, by: by ?? "" },
        others: others.map((other) => ({ stage: other.stage, group: groupOf(other) })),
      };
    },
    async places(id, { groups, stages, shelf = "open", until }) {
      const isNamed = new Set<string>([...groups, ...stages]);
      const seen = new Set<string>();
      const own = await rowids(id, shelf, (member) => {
        const names = [member.group, member.stage].filter((each) => isNamed.has(each));
        for (const each of names) seen.add(each);
        return names.length > 0 && (until === undefined || member.at <= until);
      });
      const all = own.toSorted((a, b) => a - b);
      const places: LetterPlace[] = [];
      for (const [i, rowid] of all.entries()) {
        if (i % TURN_ROWS === TURN_ROWS - 1) await setImmediate();
        const row = placed.get(id.environment, id.name, rowid);
        if (row !== undefined) places.push(placeRow.parse(row));
      }
      return { places, absent: [...isNamed].filter((each) => !seen.has(each)) };
    },
    close: () => state.close(),
  };
}

type Member = z.infer<typeof memberRow> & { folded: Folded; group: string };

function groupOf({ stage, reason }: { stage: Stage; reason: string }): string {
  return groupId(stage, foldReason(reason));
}

function groupId(stage: Stage, { cause }: Folded): string {
  return createHash("sha256").update(`${stage}\0${cause}`).digest("hex").slice(0, 12);
}

const countRow = z.object({ count: z.number() });
const rowidRow = z.object({ rowid: z.number() });
const { stage } = deadLetterRow.shape;
const memberRow = rowidRow.extend({ stage, reason: z.string(), at: z.string() });
const placeRow = z.object({
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  offset: z.number(),
  stage,
});
const openedRow = deadLetterRow.extend({
  dismissed_at: z.string().nullable(),
  dismissed_by: z.string().nullable(),
});

const bytes = z.instanceof(Uint8Array).nullable();
const listedRow = deadLetterRow
  .omit({ record_key: true, record_value: true, headers: true })
  .extend({
    key_start: bytes,
    key_bytes: z.number().nullable(),
    value_start: bytes,
    value_bytes: z.number().nullable(),
  });

function listedOf(row: unknown): ListedLetter {
  const { record_offset, record_at, key_start, key_bytes, value_start, value_bytes, ...rest } =
    listedRow.parse(row);
  return {
    ...rest,
    offset: record_offset,
    timestampMs: record_at,
    key: key_bytes === null ? null : { start: key_start ?? new Uint8Array(), sizeBytes: key_bytes },
    value:
      value_bytes === null
        ? null
        : { start: value_start ?? new Uint8Array(), sizeBytes: value_bytes },
  };
}
