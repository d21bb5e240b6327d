import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import { encodeStream } from "#snapshots/arrow-ipc.ts";
import type { SqlType } from "#snapshots/types.ts";
import { encodeNested } from "./encode-nested.ts";
import { encodeScalar } from "./encode-scalar.ts";

/** Told about each value that a column cannot hold; the value is then written as NULL, and its record must not be used. */
export type RefuseValue = (row: number, message: string) => void;

/** A column of an output contract, its type parsed. */
export type OutputColumn = { name: string; type: SqlType; nullable: boolean };

/** Encodes the first `length` values of each column as one Arrow IPC stream. */
export function encodeRows(
  columns: readonly OutputColumn[],
  values: readonly unknown[][],
  length: number,
  refuse: RefuseValue,
): Uint8Array {
  const batch = columns.map((column, index) =>
    encodeColumn(values[index] ?? [], length, column.type, column.nullable, (row, message) =>
      refuse(row, `Column \`${column.name}\` ${message}`),
    ),
  );
  return encodeStream(columns as OutputColumn[], batch);
}

/** One column's buffers. */
export function encodeColumn(
  values: readonly unknown[],
  length: number,
  type: SqlType,
  isNullable: boolean,
  refuse: RefuseValue,
): ArrowBuffers {
  const { validity, nullCount } = validityOf(values, length, isNullable, refuse);
  const buffers =
    type.kind === "list" || type.kind === "struct" || type.kind === "map"
      ? encodeNested(values, length, type, refuse, encodeColumn)
      : encodeScalar(values, length, type, refuse);
  return { length, nullCount, validity, ...buffers };
}

function validityOf(
  values: readonly unknown[],
  length: number,
  isNullable: boolean,
  refuse: RefuseValue,
): { validity: Uint8Array; nullCount: number } {
  let nullCount = 0;
  let validity = new Uint8Array(0);
  for (let i = 0; i < length; i += 1) {
    const value = values[i];
    if (value !== null && value !== undefined) continue;
    if (!isNullable) {
      refuse(
        i,
        value === undefined
          ? "is missing, and the contract says it always has a value."
          : "is null, and the contract says it always has a value.",
      );
    }
    if (nullCount === 0) validity = new Uint8Array((length + 7) >> 3).fill(255);
    nullCount += 1;
    validity[i >> 3] = (validity[i >> 3] ?? 0) & ~(1 << (i & 7));
  }
  return { validity, nullCount };
}
