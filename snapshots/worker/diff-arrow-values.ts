import { DateUnit, TimeUnit, Type, type Batch, type DataType } from "@uwdata/flechette";
import type { ArrowBuffers } from "../arrow-buffers.ts";
import { decimalText, timeText } from "../arrow-rows-read.ts";
import { columnFromValues } from "../arrow-rows-write.ts";
import { sqlTypeFromArrow } from "../arrow-type.ts";
import { ProblemError } from "../problem.ts";
import type { ScalarName, SqlType } from "../types.ts";
import type { ArrowColumn } from "./arrow-check.ts";

/** How the values of an Arrow type that Penstock itself never writes are read, and as what. */
export type ValueReading = { type: SqlType; value: (own: unknown) => unknown };

const same = (own: unknown) => own;

/** Undefined for a type that is not read. Values are those flechette gives with `useBigInt`, `useDecimalInt` and `useMap`. */
export function valueReading(arrow: DataType): ValueReading | undefined {
  switch (arrow.typeId) {
    case Type.Null:
    case Type.LargeUtf8:
    case Type.Utf8View:
      return { type: scalar("VARCHAR"), value: same };
    case Type.LargeBinary:
    case Type.BinaryView:
    case Type.FixedSizeBinary:
      return { type: scalar("BLOB"), value: same };
    case Type.Dictionary:
      return valueReading(arrow.dictionary);
    case Type.RunEndEncoded:
      return valueReading(arrow.children[1].type);
    case Type.Date:
      return arrow.unit === DateUnit.MILLISECOND
        ? { type: scalar("DATE"), value: (own) => new Date(Number(own)) }
        : undefined;
    case Type.Time:
      return timeReading(arrow.unit);
    case Type.Decimal:
      return arrow.precision <= 38
        ? {
            type: { kind: "decimal", width: arrow.precision, scale: arrow.scale },
            value: (own) => decimalText(own as bigint, arrow.scale),
          }
        : undefined;
    case Type.Float:
      return { type: scalar(arrow.precision === 2 ? "DOUBLE" : "FLOAT"), value: same };
    case Type.List:
    case Type.LargeList:
    case Type.ListView:
    case Type.LargeListView:
    case Type.FixedSizeList:
      return listReading(arrow.children[0].type);
    case Type.Struct:
      return structReading(arrow.children);
    case Type.Int:
    case Type.Bool:
    case Type.Utf8:
    case Type.Binary:
      return plain(arrow);
    default:
      return undefined;
  }
}

function plain(arrow: DataType): ValueReading | undefined {
  try {
    return { type: sqlTypeFromArrow(arrow), value: same };
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

/** TIME holds microseconds; what is finer stays text. */
function timeReading(unit: number): ValueReading | undefined {
  const micros = { [TimeUnit.SECOND]: 1_000_000n, [TimeUnit.MILLISECOND]: 1000n }[unit];
  if (micros !== undefined)
    return { type: scalar("TIME"), value: (own) => timeText(BigInt(own as number) * micros) };
  const nanos = (own: bigint) =>
    `${timeText((own / 1_000_000_000n) * 1_000_000n)}.${(own % 1_000_000_000n).toString().padStart(9, "0")}`;
  return unit === TimeUnit.NANOSECOND
    ? { type: scalar("VARCHAR"), value: (own) => nanos(own as bigint) }
    : undefined;
}

function listReading(item: DataType): ValueReading | undefined {
  const inner = valueReading(item);
  if (inner === undefined) return undefined;
  return {
    type: { kind: "list", item: inner.type },
    value: (own) => Array.from(own as Iterable<unknown>, (each) => orNull(each, inner)),
  };
}

function structReading(children: { name: string; type: DataType }[]): ValueReading | undefined {
  const fields: { name: string; reading: ValueReading }[] = [];
  for (const { name, type } of children) {
    const reading = valueReading(type);
    if (reading === undefined) return undefined;
    fields.push({ name, reading });
  }
  return {
    type: {
      kind: "struct",
      fields: fields.map(({ name, reading }) => ({ name, type: reading.type })),
    },
    value: (own) =>
      Object.fromEntries(
        fields.map(({ name, reading }) => [
          name,
          orNull((own as Record<string, unknown>)[name], reading),
        ]),
      ),
  };
}

function orNull(own: unknown, { value }: ValueReading): unknown {
  return own === null || own === undefined ? null : value(own);
}

/** A batch read value by value. */
export function columnByValue(
  name: string,
  reading: ValueReading,
  batch: Batch<unknown>,
): ArrowColumn {
  const values = Array.from({ length: batch.length }, (_, row) => orNull(batch.at(row), reading));
  return columnOf(columnFromValues(name, reading.type, values));
}

function columnOf({ children, offsets, values, ...rest }: ArrowBuffers): ArrowColumn {
  return {
    ...rest,
    ...(values === undefined ? {} : { values }),
    ...(offsets === undefined
      ? {}
      : { offsets: new Int32Array(offsets.buffer, offsets.byteOffset, offsets.byteLength / 4) }),
    ...(children === undefined ? {} : { children: children.map(columnOf) }),
  };
}

/** A timestamp with a time zone, in units that DuckDB's own has not: microseconds, or TIMESTAMP_NS in UTC where it is finer. */
export function zonedReading(
  arrow: DataType,
): { type: SqlType; read: (batch: Batch<unknown>) => ArrowColumn } | undefined {
  if (arrow.typeId !== Type.Timestamp || arrow.timezone === null) return undefined;
  const factor = { [TimeUnit.SECOND]: 1_000_000n, [TimeUnit.MILLISECOND]: 1000n }[
    arrow.unit as number
  ];
  const read = (batch: Batch<unknown>): ArrowColumn => {
    const { values, validity, nullCount, length } = batch as unknown as {
      values: BigInt64Array;
      validity?: Uint8Array;
      nullCount: number;
      length: number;
    };
    const scaled = values.slice(0, length).map((value) => value * (factor ?? 1n));
    return {
      length,
      nullCount,
      validity: nullCount > 0 ? (validity ?? new Uint8Array(0)) : new Uint8Array(0),
      values: new Uint8Array(scaled.buffer, scaled.byteOffset, scaled.byteLength),
    };
  };
  const type = scalar(factor === undefined ? "TIMESTAMP_NS" : "TIMESTAMP WITH TIME ZONE");
  return { type, read };
}

function scalar(name: ScalarName): SqlType {
  return { kind: "scalar", name };
}
