import type { DataType } from "@uwdata/flechette";

/** One column of one record batch, as flechette lays it out. */
export type Physical = {
  type: DataType;
  length: number;
  nullCount: number;
  validity: Uint8Array;
  values: ArrayBufferView;
  offsets: Int32Array;
  children: Physical[];
  dictionary?: { data: Physical[] };
};

/** Whether the row holds a value. */
export function isValid(part: Physical, row: number): boolean {
  return part.nullCount === 0 || ((part.validity[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
}
