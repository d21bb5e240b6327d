/**
 * The module "penstock" as a bundle sees it: descriptions only. A bundle does no reading and shows nothing; the slice guest
 * takes the functions out of the descriptions. Its text is part of every bundle, hence of every bundle's hash.
 */
import { createApi } from "./api.ts";
import type { Table } from "./descriptors.ts";

function refuse(): never {
  throw new TypeError(
    'A bundle cannot read a table\'s rows by itself. Give the transform a lookup: { lookup: { name: table.by("column") } }.',
  );
}

const api = createApi({ rows: () => refuse(), iterate: () => refuse() });

export const snapshot = api.snapshot;
export const sql = api.sql;
export const transform = api.transform;
export const metric = api.metric;
export const split = api.split;
export const expectDiff = api.expectDiff;

/** Shown in a notebook; nothing in a bundle. */
export function md(_strings: readonly string[], ..._values: unknown[]): undefined {
  return undefined;
}

/** Shown in a notebook; nothing in a bundle. */
export function chart(_spec: unknown, _data?: Table | readonly object[]): undefined {
  return undefined;
}

/** Shown in a notebook; nothing in a bundle. */
export function display(_value: unknown): void {}
