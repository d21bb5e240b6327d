import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { layOut } from "../values/arrow-layout.ts";
import { typedColumns } from "../values/identity.ts";
import type { Kept } from "../values/json-values.ts";
import {
  CLEAR,
  WRITE,
  type Outcome,
  type Sink,
  type SinkBatch,
  type SinkContract,
  type StoredRow,
} from "../ports.ts";
import { versionOf } from "../order/version.ts";

// What the sinks' conformance suite writes, and reads back.

const KEY: Column[] = [{ name: "id", type: "BIGINT", nullable: false }];
const COLUMNS: Column[] = [
  { name: "id", type: "BIGINT", nullable: false },
  { name: "note", type: "VARCHAR", nullable: true },
];
export const CONTRACT: SinkContract = { key: KEY, columns: COLUMNS, maxParts: 2 };
export const WIDER: SinkContract = {
  ...CONTRACT,
  columns: [...COLUMNS, { name: "Note", type: "DOUBLE", nullable: true }],
};
/** In the column that `WIDER` has more. */
export const WIDE_NOTE = 1.5;
/** A row whose note is NULL; an effect's `note: null` clears the row. */
export const NULL_NOTE = "(null)";

/** One effect, in short: a note to write, or null to clear. */
export type Effect = {
  id: number;
  part?: number;
  epoch?: number;
  offset: number;
  note: string | null;
  /** Of topic `t`; 3 unless said. */
  partition?: number;
};

export async function write(sink: Sink, ...effects: Effect[]): Promise<string[]> {
  return (await sink.write(batchOf(effects))).map((outcome) => outcome.kind);
}

export function retracted(outcomes: readonly Outcome[]): boolean[] {
  return outcomes.map((outcome) => outcome.kind === "written" && outcome.retracted);
}

export function newest(effects: readonly Effect[]): Effect[] {
  const kept = new Map<string, Effect>();
  for (const effect of effects) {
    const place = `${effect.id}/${effect.part ?? 0}`;
    const held = kept.get(place);
    if (held === undefined || versionOfEffect(held) <= versionOfEffect(effect))
      kept.set(place, effect);
  }
  return [...kept.values()];
}

function versionOfEffect(effect: Effect): bigint {
  return versionOf(effect.epoch ?? 1024, effect.offset, effect.note === null ? 0 : 1);
}

function partitionOf({ partition }: Effect): number {
  return partition ?? 3;
}

export function batchOf(effects: readonly Effect[], contract = CONTRACT): SinkBatch {
  const written = effects.filter((effect) => effect.note !== null);
  const partitions = [...new Set(effects.map(partitionOf))];
  return {
    contract,
    places: partitions.map((partition) => ({ topic: "t", partition })),
    place: Uint16Array.from(effects, (effect) => partitions.indexOf(partitionOf(effect))),
    count: effects.length,
    kind: Uint8Array.from(effects, (effect) => (effect.note === null ? CLEAR : WRITE)),
    version: BigInt64Array.from(effects, versionOfEffect),
    offset: Float64Array.from(effects, (effect) => effect.offset),
    part: Int32Array.from(effects, (effect) => effect.part ?? 0),
    keyRow: Int32Array.from(effects, (_, i) => i),
    keys: arrow(KEY, [effects.map((effect) => effect.id)]),
    row: Int32Array.from(effects, (effect) => written.indexOf(effect)),
    rows: arrow(contract.columns, [
      written.map((effect) => effect.id),
      written.map((effect) => (effect.note === NULL_NOTE ? null : effect.note)),
      written.map(() => WIDE_NOTE),
    ]),
  };
}

function arrow(columns: readonly Column[], values: Kept[][]): Uint8Array {
  const typed = unwrap(typedColumns(columns));
  return encodeStream(
    typed,
    typed.map((column, i) => layOut(column.type, values[i] ?? [], 0, values[i]?.length ?? 0)),
  );
}

/** Everything the sink shows, in key and part order. */
export async function stored(sink: Sink): Promise<StoredRow[]> {
  const rows: StoredRow[] = [];
  for await (const row of sink.scan()) rows.push(row);
  return rows.toSorted((a, b) => Number(a.key[0]) - Number(b.key[0]) || a.part - b.part);
}

export async function contents(sink: Sink): Promise<[unknown, number, unknown][]> {
  return (await stored(sink)).flatMap(({ key, part, values }) =>
    values === null ? [] : [[key[0], part, values["note"]] satisfies [unknown, number, unknown]],
  );
}
