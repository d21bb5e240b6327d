import avsc, { type Schema, type Type } from "avsc";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import type { SourceRecord } from "../../ports.ts";
import { openDecoder, type DecodeOutcome } from "../open-decoder.ts";
import type { Found, Registry } from "../registry.ts";
import { parseWriterSchema } from "./writer-schema.ts";

/** Avro's own library as the writer, with longs of all 64 bits. */
export function writerOf(schema: Schema): Type {
  const long = avsc.types.LongType.__with({
    fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
    toBuffer(value: bigint | number) {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64LE(BigInt(value));
      return buffer;
    },
    fromJSON: BigInt,
    toJSON: String,
    isValid: (value: unknown) => typeof value === "bigint" || Number.isSafeInteger(value),
    compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
  });
  return avsc.Type.forSchema(schema, {
    registry: { long },
    // avsc takes its own long, which rounds, where the schema says more of the type.
    typeHook: (written) =>
      typeof written === "object" && Reflect.get(written, "type") === "long" ? long : undefined,
    wrapUnions: "always",
    omitRecordMethods: true,
  });
}

/** Confluent's wire format. */
export function framed(id: number, bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(id, 1);
  return Buffer.concat([header, bytes]);
}

export function recordOf(value: Uint8Array | null, key: Uint8Array | null = null): SourceRecord {
  return { offset: 0, timestampMs: 0, key, value, headers: [] };
}

/** A registry that holds these schemas, by id. */
export function registryOf(schemas: Record<number, Schema>): Registry {
  const found = new Map<number, Found>();
  return {
    known: (id) => found.get(id),
    load(ids) {
      for (const id of ids) {
        const text = JSON.stringify(schemas[id]);
        found.set(
          id,
          text === undefined
            ? { kind: "unusable", reason: `the registry knows no schema ${id}` }
            : { kind: "schema", text, type: unwrap(parseWriterSchema(text)) },
        );
      }
      return Promise.resolve(undefined);
    },
    subjectOf: (_, preferred) => preferred,
    loadSubjects: () => undefined,
    ask: () => Promise.reject(new Error("nothing is asked of this one")),
  };
}

export async function decodeAvro(
  contract: { input: Column[]; key: string[] },
  schemas: Record<number, Schema>,
  records: readonly SourceRecord[],
  keyFormat: "json" | "avro" = "json",
): Promise<(DecodeOutcome & { kind: "decoded" })["decoded"]> {
  const stream = { format: "avro" as const, keyFormat, delimiter: "," };
  const decoder = unwrap(openDecoder({ ...contract, stream, registry: registryOf(schemas) }));
  const outcome = await decoder.decode(records, "flights", 0);
  if (outcome.kind !== "decoded") throw new Error(outcome.problem.message);
  return outcome.decoded;
}
