import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import type { SqlType } from "#snapshots/types.ts";
import { layOut } from "#promote/sync/values/arrow-layout.ts";
import { typedColumns } from "#promote/sync/values/identity.ts";
import { converterFor, Refusal, type Kept } from "#promote/sync/values/json-values.ts";
import { CLEAR, WRITE, type SinkBatch, type SinkContract } from "#promote/sync/ports.ts";
import { versionOf } from "#promote/sync/order/version.ts";

/** One operation in JSON values (docs/types.md); `values` null clears. */
export type Operation = {
  key: unknown[];
  values: Record<string, unknown> | null;
  offset: number;
  epoch?: number;
  part?: number;
};

/** Operations on a real server's sink as the pipeline would hand them over. */
export function batchOf(contract: SinkContract, operations: readonly Operation[]): SinkBatch {
  const written = operations.filter(({ values }) => values !== null);
  return {
    contract,
    places: [{ topic: "flights", partition: 3 }],
    place: new Uint16Array(operations.length),
    count: operations.length,
    kind: Uint8Array.from(operations, ({ values }) => (values === null ? CLEAR : WRITE)),
    version: BigInt64Array.from(operations, ({ epoch, offset, values }) =>
      versionOf(epoch ?? 1024, offset, values === null ? CLEAR : WRITE),
    ),
    offset: Float64Array.from(operations, ({ offset }) => offset),
    part: Int32Array.from(operations, ({ part }) => part ?? 0),
    keyRow: Int32Array.from(operations, (_, i) => i),
    keys: arrow(
      contract.key,
      contract.key.map((_, n) => operations.map(({ key }) => key[n])),
    ),
    row: Int32Array.from(operations, (operation) => written.indexOf(operation)),
    rows: arrow(
      contract.columns,
      contract.columns.map(({ name }) => written.map(({ values }) => values?.[name])),
    ),
  };
}

function arrow(columns: readonly Column[], values: readonly unknown[][]): Uint8Array {
  const typed = unwrap(typedColumns(columns));
  return encodeStream(
    typed,
    typed.map(({ type }, n) => {
      const kept = (values[n] ?? []).map((value) => keptOf(type, value));
      return layOut(type, kept, 0, kept.length);
    }),
  );
}

/** A BIGINT beyond ±2^53 is refused on the way into a pipeline; a transform's `bigint` may be one on the way out. */
function keptOf(type: SqlType, value: unknown): Kept {
  if (value === null || value === undefined) return null;
  if (type.kind === "scalar" && type.name === "BIGINT" && typeof value === "string")
    return BigInt(value);
  const converted = converterFor(type)(value);
  if (converted instanceof Refusal) throw new RangeError(converted.reason);
  return converted;
}
