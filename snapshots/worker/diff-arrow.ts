import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import {
  CompressionType,
  setCompressionCodec,
  tableFromIPC,
  Type,
  type Batch,
  type Column,
  type DataType,
  type Field,
} from "@uwdata/flechette";
import { decompressFrameSync } from "lz4-napi";
import { arrowType, isSameArrowType } from "../arrow-type.ts";
import { aligned, sqlTypeOf } from "../arrow-ipc.ts";
import { fail, ok, ProblemError, type Result } from "../problem.ts";
import { formatType, quoteName, type SqlType } from "../types.ts";
import { checkArrowType, type ArrowColumn } from "./arrow-check.ts";
import { columnByValue, valueReading, zonedReading } from "./diff-arrow-values.ts";
import { chunkWriter } from "./vector-write.ts";

type Target = {
  name: string;
  type: SqlType;
  appended: SqlType;
  read: (batch: Batch<unknown>) => ArrowColumn;
};

setCompressionCodec(CompressionType.ZSTD, {
  encode: () => refuseToWrite(),
  decode: (bytes) => new Uint8Array(zstdDecompressSync(bytes)),
});
setCompressionCodec(CompressionType.LZ4_FRAME, {
  encode: () => refuseToWrite(),
  decode: (bytes) => new Uint8Array(decompressFrameSync(Buffer.from(bytes))),
});

function refuseToWrite(): never {
  throw new Error("files are only read here");
}

/** The rows of an Arrow IPC file or stream into a table of the worker's memory, its columns called `v0`, `v1`, …. Gives the file's own names. */
export async function loadArrow(
  connection: Connection,
  path: string,
  name: string,
): Promise<Result<{ name: string; type: string }[]>> {
  const table = tableFromIPC(aligned(readFileSync(path)), {
    useBigInt: true,
    useDecimalInt: true,
    useMap: true,
  });
  const targets: Target[] = [];
  for (const field of table.schema.fields) {
    const target = targetOf(field);
    if (!target.ok) return target;
    targets.push(target.value);
  }
  const columnsSql = targets.map(({ appended }, i) => `v${i} ${formatType(appended)}`);
  const made = quoteName(`${name} rows`);
  await duckdb.query(connection, `CREATE TABLE memory.main.${made} (${columnsSql.join(", ")})`);
  const writer = chunkWriter(
    connection,
    "memory",
    `${name} rows`,
    targets.map(({ appended }) => appended),
  );
  const batches = table.children[0]?.data.length ?? 0;
  for (let b = 0; b < batches; b += 1) {
    const columns = targets.map((target, i) => target.read(batchAt(table.children[i], b)));
    writer.append(columns, columns[0]?.length ?? 0);
  }
  writer.close();
  for (const [i, { type, appended }] of targets.entries()) {
    if (formatType(type) === formatType(appended)) continue;
    await duckdb.query(
      connection,
      `ALTER TABLE memory.main.${made} ALTER v${i} TYPE ${formatType(type)}`,
    );
  }
  return ok(targets.map(({ name, type }) => ({ name, type: formatType(type) })));
}

function batchAt(column: Column<unknown> | undefined, index: number): Batch<unknown> {
  const batch = column?.data[index];
  if (batch === undefined) throw new Error("the columns of an Arrow file differ in batches");
  return batch;
}

/** How a field is read: its buffers as they are where they lie as Penstock's own do, else value by value. */
function targetOf(field: Field): Result<Target> {
  const { name, type: arrow } = field;
  const plain = plainTypeOf(field);
  if (plain !== undefined) {
    const read = (batch: Batch<unknown>) =>
      checkArrowType(name, plain.appended, arrow, [batch], batch.length);
    return ok({ name, ...plain, read });
  }
  const zoned = zonedReading(arrow);
  if (zoned !== undefined) return ok({ name, appended: zoned.type, ...zoned });
  const reading = valueReading(arrow);
  if (reading !== undefined) {
    const read = (batch: Batch<unknown>) => columnByValue(name, reading, batch);
    return ok({ name, type: reading.type, appended: reading.type, read });
  }
  return fail({
    code: "type-not-carried",
    message: `Column \`${name}\` is of an Arrow type that Penstock does not read (${typeName(arrow)}).`,
    hint: "Write it as another type, for example as text.",
  });
}

function typeName({ typeId }: DataType): string {
  return Object.entries(Type).find(([, id]) => id === typeId)?.[0] ?? String(typeId);
}

function plainTypeOf(field: Field): { type: SqlType; appended: SqlType } | undefined {
  try {
    const type = sqlTypeOf(field);
    const appended = appendedType(type);
    const isPlain = isDictionaryOfText(field.type) || isAlike(arrowType(appended), field.type);
    return isPlain ? { type, appended } : undefined;
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

function isDictionaryOfText(type: DataType): boolean {
  return type.typeId === Type.Dictionary && type.dictionary.typeId === Type.Utf8;
}

/** Alike all the way down. */
function isAlike(wanted: DataType, found: DataType): boolean {
  if (!isSameArrowType(wanted, found)) return false;
  const [own, theirs] = [childrenOf(wanted), childrenOf(found)];
  return (
    own.length === theirs.length && own.every((child, i) => isAlike(child, theirs[i] ?? child))
  );
}

function childrenOf(type: DataType): DataType[] {
  return "children" in type && Array.isArray(type.children)
    ? type.children.map((child) => child.type)
    : [];
}

/** UUID, JSON and ENUM travel as texts. */
function appendedType(type: SqlType): SqlType {
  const isText =
    type.kind === "enum" ||
    (type.kind === "scalar" && (type.name === "UUID" || type.name === "JSON"));
  return isText ? { kind: "scalar", name: "VARCHAR" } : type;
}
