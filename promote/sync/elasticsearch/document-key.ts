import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { layOut } from "../values/arrow-layout.ts";
import { readPhysical } from "../values/arrow-read.ts";
import type { TypedColumn } from "../values/identity.ts";
import { JsonText } from "../values/json-text.ts";
import { converterFor, Refusal, type Kept } from "../values/json-values.ts";
import { valueWriter } from "../values/row-json.ts";
import { idWriter } from "./document-id.ts";

/** A key's values as JSON has them, and which row of its record. */
export type Identity = { key: readonly unknown[]; part: number };

/** The id an identity's document has, and its key as the pipeline writes it. */
export type Placed = { id: string; key: unknown[] };

/** Where each identity's document belongs; undefined for what is no identity of these columns. */
export function placesOf(
  columns: readonly TypedColumn[],
  identities: readonly Identity[],
): (Placed | undefined)[] {
  const converters = columns.map(({ type }) => converterFor(type));
  const kept: Kept[][] = columns.map(() => []);
  const rowOf = identities.map(({ key }) => {
    if (key.length !== columns.length || key.includes(undefined)) return undefined;
    const values: Kept[] = [];
    for (const [i, convert] of converters.entries()) {
      const value = key[i] === null ? null : convert(key[i]);
      if (value instanceof Refusal) return undefined;
      values.push(value);
    }
    values.forEach((value, i) => kept[i]?.push(value));
    return (kept[0]?.length ?? 0) - 1;
  });
  const length = kept[0]?.length ?? 0;
  if (length === 0) return identities.map(() => undefined);
  const stream = encodeStream(
    [...columns],
    columns.map(({ type }, i) => layOut(type, kept[i] ?? [], 0, length)),
  );
  const types = columns.map(({ type }) => type);
  const physical = readPhysical(stream, types)[0]?.columns ?? [];
  const writeId = idWriter(columns, physical);
  const writers = types.map((type, i) => valueWriter(type, physical[i]));
  const out = new JsonText();

  function written(write: () => void): unknown {
    out.reset();
    write();
    return JSON.parse(out.bytes.toString("utf8"));
  }

  return identities.map(({ part }, i) => {
    const row = rowOf[i];
    if (row === undefined) return undefined;
    const id = written(() => {
      out.ascii('"');
      writeId(out, row, part);
      out.ascii('"');
    });
    return {
      id: String(id),
      key: writers.map((write) => written(() => write(out, row))),
    };
  });
}

/** The identity an id was made of, were it made by `idWriter`: whether it was is for `placesOf` to say. Nothing comes back from a hash. */
export function identityOfId(columns: readonly TypedColumn[], id: string): Identity | undefined {
  const [, text = "", part = "0"] = /^([^]*?)(?:~p([1-9]\d{0,8}))?$/.exec(id) ?? [];
  const segments = text.split(",");
  if (segments.length !== columns.length) return undefined;
  const key = columns.map(({ type }, i) => {
    const segment = segments[i] ?? "";
    if (segment === "~n") return null;
    const value = segment === "~e" ? "" : segment.replaceAll("~1", ",").replaceAll("~0", "~");
    return converterFor(type)(value) instanceof Refusal ? parsed(value) : value;
  });
  return { key, part: Number(part) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
