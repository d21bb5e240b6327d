/* oxlint-disable unicorn/no-new-array -- sized once: these loops run per value */
import { parseType } from "#snapshots/types.ts";
import { decodeStream } from "./decode.ts";
import type { RowFunction } from "./descriptors.ts";
import { encodeRows, type OutputColumn } from "./encode.ts";
import { messageOf, placeOf, type ErrorPlace } from "./errors.ts";
import { shown } from "./shown.ts";
import { neverRefused, transformLoop, type LoopSink } from "./transform-loop.ts";

export type ColumnSpec = { name: string; type: string; nullable: boolean };
export type RecordError = { row: number; message: string } & ErrorPlace;
export type TransformedBatch = {
  rows: Uint8Array;
  inputs: Int32Array;
  parts: Int32Array;
  read: number;
  filtered: number;
  errors: RecordError[];
};

export function parseColumns(columns: readonly ColumnSpec[]): OutputColumn[] {
  return columns.map((column) => {
    const type = parseType(column.type);
    if (!type.ok) throw new TypeError(`Column \`${column.name}\`: ${type.problem.message}`);
    return { name: column.name, type: type.value, nullable: column.nullable };
  });
}

/** Runs a transform over batches: decode, call, encode. */
export function transformRunner(spec: {
  input: readonly ColumnSpec[];
  output: readonly ColumnSpec[];
  apply: RowFunction;
  lookups: Readonly<Record<string, unknown>>;
  maxParts: number;
}): (ipc: Uint8Array) => TransformedBatch {
  const input = parseColumns(spec.input);
  const output = parseColumns(spec.output);
  const names = output.map((column) => column.name);
  const known = new Set(names);
  function valuesOf(item: unknown): unknown[] | string {
    if (item === null || typeof item !== "object" || Array.isArray(item)) {
      return `The transform returned ${shown(item)}; it must return a record, an array of records, or null.`;
    }
    if (typeof (item as { then?: unknown }).then === "function") {
      return "The transform returned a Promise. A transform answers at once: it must not be async.";
    }
    const extra = Object.keys(item).find((key) => !known.has(key));
    if (extra !== undefined) {
      return `The transform returned a column \`${extra.slice(0, 100)}\`, which its output contract does not have (${names.join(", ")}).`;
    }
    return names.map((name) => (item as Record<string, unknown>)[name]);
  }

  const loop = transformLoop(
    input.map((column) => column.name),
    names,
  );
  const columns = names.map((): unknown[] => []);
  let inputs = new Int32Array(0);
  let parts = new Int32Array(0);

  return (ipc) => {
    const decoded = decodeStream(ipc, input);
    const errors = new Map<number, RecordError>();
    for (const [row, message] of decoded.refusals) errors.set(row, { row, message });
    if (inputs.length < decoded.length) {
      inputs = new Int32Array(decoded.length);
      parts = new Int32Array(decoded.length);
    }
    const sink: LoopSink = {
      columns,
      inputs,
      parts,
      length: 0,
      filtered: 0,
      isRefused: decoded.refusals.size === 0 ? neverRefused : (row) => decoded.refusals.has(row),
      threw: (row, error) => errors.set(row, { row, message: messageOf(error), ...placeOf(error) }),
      other: (row, result) => {
        const problem = takeOther(row, result);
        if (problem !== undefined) errors.set(row, { row, message: problem });
      },
    };
    // Parts beyond one an input row are kept apart, so that the loop's own arrays need no growing check.
    const more: { at: number; row: number; part: number; values: unknown[] }[] = [];

    function takeOther(row: number, result: unknown): string | undefined {
      if (!Array.isArray(result)) {
        const values = valuesOf(result);
        if (typeof values === "string") return values;
        more.push({ at: sink.length, row, part: 0, values });
        return undefined;
      }
      // Asked once: a proxy of an array may answer otherwise the next time, or with no number.
      const length: unknown = result.length;
      if (typeof length !== "number" || length > spec.maxParts) {
        return `The transform returned ${shown(length)} records for one; its maxParts is ${spec.maxParts}. Raise maxParts, or return fewer.`;
      }
      const made: { part: number; values: unknown[] }[] = [];
      for (let part = 0; part < length; part += 1) {
        const item: unknown = result[part];
        if (item === null || item === undefined) continue;
        const values = valuesOf(item);
        if (typeof values === "string") return `Part ${part}: ${values}`;
        made.push({ part, values });
      }
      if (made.length === 0) sink.filtered += 1;
      for (const { part, values } of made) more.push({ at: sink.length, row, part, values });
      return undefined;
    }

    loop(decoded.length, decoded.columns, spec.apply, spec.lookups, sink);
    let rows = merged(sink, more);
    const encode = (): Uint8Array =>
      encodeRows(output, rows.columns, rows.length, (at, message) => {
        const row = rows.inputs[at] ?? 0;
        if (!errors.has(row)) errors.set(row, { row, message });
      });
    let failed = errors.size;
    let bytes = encode();
    // Again and again: a getter inside a value may fail at the second reading.
    while (errors.size > failed) {
      failed = errors.size;
      rows = without(rows, errors);
      bytes = encode();
    }
    return {
      rows: bytes,
      inputs: rows.inputs.slice(0, rows.length),
      parts: rows.parts.slice(0, rows.length),
      read: decoded.length,
      filtered: sink.filtered,
      errors: [...errors.values()].toSorted((a, b) => a.row - b.row),
    };
  };
}

type Rows = { columns: unknown[][]; inputs: Int32Array; parts: Int32Array; length: number };

/** Puts what was kept apart in its place, in input order. */
function merged(
  sink: LoopSink,
  more: readonly { at: number; row: number; part: number; values: unknown[] }[],
): Rows {
  if (more.length === 0) return sink;
  const length = sink.length + more.length;
  const rows: Rows = {
    columns: sink.columns.map((): unknown[] => new Array(length)),
    inputs: new Int32Array(length),
    parts: new Int32Array(length),
    length,
  };
  let next = 0;
  let at = 0;
  for (let i = 0; i <= sink.length; i += 1) {
    for (let entry = more[next]; entry !== undefined && entry.at === i; entry = more[next]) {
      for (const [index, column] of rows.columns.entries()) column[at] = entry.values[index];
      rows.inputs[at] = entry.row;
      rows.parts[at] = entry.part;
      at += 1;
      next += 1;
    }
    if (i === sink.length) break;
    for (const [index, column] of rows.columns.entries()) column[at] = sink.columns[index]?.[i];
    rows.inputs[at] = sink.inputs[i] ?? 0;
    rows.parts[at] = sink.parts[i] ?? 0;
    at += 1;
  }
  return rows;
}

/** Leaves out every part of the records that failed. */
function without(rows: Rows, errors: ReadonlyMap<number, unknown>): Rows {
  const kept: number[] = [];
  for (let i = 0; i < rows.length; i += 1) if (!errors.has(rows.inputs[i] ?? 0)) kept.push(i);
  return {
    columns: rows.columns.map((column) => kept.map((i) => column[i])),
    inputs: Int32Array.from(kept, (i) => rows.inputs[i] ?? 0),
    parts: Int32Array.from(kept, (i) => rows.parts[i] ?? 0),
    length: kept.length,
  };
}
