import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { tableFromIPC } from "@uwdata/flechette";
import { aligned } from "../arrow-ipc.ts";
import { fail, ok, type Result } from "../problem.ts";
import type { Limits, MadeTable, WorkerRequest } from "../protocol.ts";
import type { Column } from "../table.ts";
import { formatType, parseType, quoteName, type SqlType } from "../types.ts";
import { checkArrowType, type ArrowColumn } from "./arrow-check.ts";
import { attach, closeDatabase, letGo, openDatabase, seal } from "./database.ts";
import { problemOf } from "./errors.ts";
import { describeMade } from "./table-file.ts";
import { chunkWriter, type ChunkWriter } from "./vector-write.ts";

export type Incoming = AsyncGenerator<{
  rows: Uint8Array;
  position?: BigInt64Array;
  part?: Int32Array;
}>;

type Target = { name: string; type: SqlType; appended: SqlType };

/**
 * Arrow batches into a new table file. What arrives was made by a guest: types, lengths and texts are checked before a byte reaches DuckDB's
 * memory. Types whose vectors are not plain (`appendedType`) go through a staging table and a cast.
 */
export async function runWrite(
  request: Extract<WorkerRequest, { kind: "write" }>,
  limits: Limits,
  incoming: Incoming,
): Promise<Result<MadeTable>> {
  const targets = targetsOf(request.columns);
  if (!targets.ok) return targets;
  const open = await openDatabase(limits, limits.threads);
  const { connection } = open;
  try {
    await attach(connection, request.out, "out", "READ_WRITE");
    await seal(connection);
    const hasLineage = await appendAll(connection, targets.value, incoming);
    const described = await describeMade(connection, "out", hasLineage);
    await letGo(connection, "out");
    return described;
  } catch (error) {
    return fail(problemOf(error));
  } finally {
    closeDatabase(open);
  }
}

function targetsOf(columns: Column[]): Result<Target[]> {
  const targets: Target[] = [];
  for (const { name, type } of columns) {
    const parsed = parseType(type);
    if (!parsed.ok) return parsed;
    const same = targets.find((target) => target.name.toLowerCase() === name.toLowerCase());
    if (same) {
      return fail({
        code: "columns-alike",
        message: `The columns \`${same.name}\` and \`${name}\` differ only in upper and lower case, which a table cannot hold.`,
        hint: "Rename one of them.",
      });
    }
    targets.push({ name, type: parsed.value, appended: appendedType(parsed.value) });
  }
  if (targets.length > 0) return ok(targets);
  return fail({
    code: "no-columns",
    message: "A table needs at least one column.",
    hint: "Return a record with at least one field.",
  });
}

/** The nearest type whose vectors can be written as they are; a cast does the rest, and checks it. */
function appendedType(type: SqlType): SqlType {
  const text: SqlType = { kind: "scalar", name: "VARCHAR" };
  switch (type.kind) {
    case "scalar":
      return type.name === "UUID" || type.name === "JSON" ? text : type;
    case "decimal":
      return type;
    case "enum":
      return text;
    case "list":
      return { kind: "list", item: appendedType(type.item) };
    case "struct":
      return {
        kind: "struct",
        fields: type.fields.map((f) => ({ name: f.name, type: appendedType(f.type) })),
      };
    case "map":
      return { kind: "map", key: appendedType(type.key), value: appendedType(type.value) };
  }
}

/** Whether the rows came with their lineage. */
async function appendAll(
  connection: Connection,
  targets: Target[],
  incoming: Incoming,
): Promise<boolean> {
  const isStaged = targets.some(
    (target) => formatType(target.type) !== formatType(target.appended),
  );
  const columnsSql = targets.map(
    (target, i) => `${isStaged ? `c${i}` : quoteName(target.name)} ${formatType(target.appended)}`,
  );
  const [catalog, table] = isStaged ? ["memory", "staging"] : ["out", "data"];
  await duckdb.query(
    connection,
    `CREATE TABLE ${catalog}.main.${table} (${columnsSql.join(", ")})`,
  );
  const data = chunkWriter(
    connection,
    catalog,
    table,
    targets.map((target) => target.appended),
  );
  let lineage: ChunkWriter | undefined;
  let batches = 0;
  for await (const { rows, position, part } of incoming) {
    const { columns, length } = decode(rows, targets);
    data.append(columns, length);
    if (position !== undefined) {
      lineage ??= await lineageWriter(connection, batches);
      appendLineage(lineage, position, part ?? new Int32Array(length), length);
    } else if (lineage !== undefined) {
      throw new Error("a batch came without positions after one that had them");
    }
    batches += 1;
  }
  data.close();
  lineage?.close();
  if (!isStaged) return lineage !== undefined;
  const casts = targets.map(
    (target, i) => `CAST(c${i} AS ${formatType(target.type)}) AS ${quoteName(target.name)}`,
  );
  await duckdb.query(
    connection,
    `CREATE TABLE out.main.data AS SELECT ${casts.join(", ")} FROM memory.main.staging`,
  );
  return lineage !== undefined;
}

function decode(ipc: Uint8Array, targets: Target[]): { columns: ArrowColumn[]; length: number } {
  const table = tableFromIPC(aligned(ipc), { useBigInt: true });
  const length = table.numRows;
  const columns = targets.map((target) => {
    const index = table.schema.fields.findIndex((field) => field.name === target.name);
    const field = table.schema.fields[index];
    const column = table.children[index];
    if (field === undefined || column === undefined) {
      throw new Error(
        `The batch has no column \`${target.name}\`; it has: ${table.names.join(", ")}.`,
      );
    }
    return checkArrowType(target.name, target.appended, field.type, column.data, length);
  });
  return { columns, length };
}

async function lineageWriter(connection: Connection, batches: number): Promise<ChunkWriter> {
  if (batches > 0) throw new Error("a batch came with positions after one that had none");
  await duckdb.query(connection, "CREATE TABLE out.main.lineage (position BIGINT, part INTEGER)");
  return chunkWriter(connection, "out", "lineage", [
    { kind: "scalar", name: "BIGINT" },
    { kind: "scalar", name: "INTEGER" },
  ]);
}

function appendLineage(
  writer: ChunkWriter,
  position: BigInt64Array,
  part: Int32Array,
  length: number,
): void {
  if (position.length !== length || part.length !== length) {
    throw new Error(
      `a batch of ${length} rows came with ${position.length} positions and ${part.length} parts`,
    );
  }
  const plain = (values: BigInt64Array | Int32Array): ArrowColumn => ({
    length,
    nullCount: 0,
    validity: new Uint8Array(0),
    values: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  writer.append([plain(position), plain(part)], length);
}
