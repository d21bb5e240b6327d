import avsc, { type Type } from "avsc";
import { formatType } from "#snapshots/types.ts";
import type { TypedColumn } from "../../values/identity.ts";
import type { Kept } from "../../values/json-values.ts";
import type { SchemaConflict } from "../decode.ts";
import type { Registry } from "../registry.ts";
import { missingNull, type KeyReader, type RowReader } from "../rows.ts";
import { recordSchema } from "./contract-schema.ts";
import { resolve, resolveFields, type Step } from "./resolve.ts";
import { Tap } from "./tap.ts";
import { plainType } from "./writer-schema.ts";

/** What a schema's records need: reading, or the reason none can be. */
type Plan = { kind: "fields"; steps: Step[] } | { kind: "union"; branches: Plan[] } | Refusal;
type Refusal = { kind: "conflict" | "unusable"; reason: string };

/** Avro in Confluent's wire format: a zero byte, the schema's id in four (most significant first), then the record. */
export type AvroReader = {
  readRow: RowReader & { of: "bytes" };
  readKey: KeyReader;
  /** Ids met since the last call whose schema conflicts with the contract, or is none that is read here. */
  takeConflicts(): Omit<SchemaConflict, "subject">[];
};

/** `known` answers from what the registry has already given: whoever decodes asks for missing ids first. */
export function avroReader(
  part: "value" | "key",
  columns: readonly TypedColumn[],
  known: Registry["known"],
): AvroReader {
  const tap = new Tap();
  const plans = new Map<number, Plan>();
  const met = new Map<number, Refusal>();

  function planFor(id: number): Plan {
    const held = plans.get(id);
    if (held !== undefined) return held;
    const found = known(id);
    if (found === undefined)
      return { kind: "unusable", reason: `the registry gave no schema ${id} that can be read` };
    if (found.kind === "unusable") return found;
    const plan = planOf(found.type, columns, part === "key");
    plans.set(id, plan);
    return plan;
  }

  function writtenAs(id: number): string | undefined {
    return known(id)?.text;
  }

  function refuse(id: number, plan: Refusal): string {
    // An id without a schema is not told: bytes that are not Avro name any number of them.
    if (writtenAs(id) !== undefined) met.set(id, plan);
    return plan.kind === "unusable" ? plan.reason : `schema ${id}: ${plan.reason}`;
  }

  function read(bytes: Uint8Array, row: Kept[]): string | undefined {
    const id = schemaIdOf(bytes);
    if (id === undefined) return `the ${part} is not Avro in Confluent's wire format`;
    tap.open(bytes, HEADER);
    let plan = planFor(id);
    if (plan.kind === "union")
      plan = plan.branches[tap.index(plan.branches.length)] ?? { kind: "fields", steps: [] };
    if (plan.kind !== "fields")
      return plan.kind === "union" ? "a union within a union" : refuse(id, plan);
    row.fill(null);
    for (const step of plan.steps) {
      step.run(tap, row);
      const reason = tap.reason();
      if (reason !== undefined) return `${step.field} ${reason}`;
    }
    if (tap.left() > 0) return `the ${part} goes on for ${tap.left()} bytes after its last field`;
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c];
      if (row[c] === null && column?.nullable === false) return missingNull(column.name);
    }
    return tap.reason();
  }

  return {
    readRow: { of: "bytes", read },
    readKey(bytes) {
      const values: Kept[] = columns.map(() => null);
      const reason = read(bytes, values);
      return reason === undefined ? { values } : { reason: `in the key, ${reason}` };
    },
    takeConflicts() {
      const readerSchema = JSON.stringify(recordSchema(columns, part === "key" ? "Key" : "Input"));
      const conflicts = [...met].map(([schemaId, { reason }]) => {
        const writerSchema = writtenAs(schemaId) ?? "";
        return { part, schemaId, writerSchema, readerSchema, conflict: reason };
      });
      met.clear();
      return conflicts;
    },
  };
}

export const HEADER = 5;

/** Undefined where bytes are not of the wire format. Registries number from 1 in a signed 32-bit integer. */
export function schemaIdOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER || bytes[0] !== 0) return undefined;
  const [, a = 0, b = 0, c = 0, d = 0] = bytes;
  const id = (a << 24) | (b << 16) | (c << 8) | d;
  return id < 0 ? undefined : id;
}

function planOf(marked: Type, columns: readonly TypedColumn[], isKey: boolean): Plan {
  const { type } = plainType(marked);
  if (type instanceof avsc.types.WrappedUnionType) {
    const branches = type.types.map((branch) => planOf(branch, columns, isKey));
    return branches.find((branch) => branch.kind === "fields") === undefined
      ? (branches.find((branch) => branch.kind === "conflict") ?? { kind: "union", branches })
      : { kind: "union", branches };
  }
  if (type instanceof avsc.types.RecordType) {
    const plan = resolveFields(type, columns);
    return "conflict" in plan
      ? { kind: "conflict", reason: plan.conflict }
      : { kind: "fields", steps: plan.steps };
  }
  const [column, ...others] = columns;
  if (!isKey || column === undefined || others.length > 0)
    return {
      kind: "conflict",
      reason: `the writer's schema is ${type.typeName}, not a record with ${columns.map((c) => `\`${c.name}\` ${formatType(c.type)}`).join(", ")}`,
    };
  const resolved = resolve(marked, column.type, column.name);
  if ("conflict" in resolved) return { kind: "conflict", reason: resolved.conflict };
  const { read } = resolved;
  const run: Step["run"] = (tap, values) => {
    values[0] = read(tap);
  };
  return { kind: "fields", steps: [{ field: `column \`${column.name}\``, run }] };
}
