import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

let known: string | undefined;

/** Changes with anything that could change a value: Deno, and the guest's own code. Part of every cache key. */
export function runtimeVersion(): string {
  known ??= compute();
  return known;
}

/** Part of the key of every query: another DuckDB may compute another value. */
export function databaseVersion(): string {
  database ??= (
    createRequire(import.meta.url)("@duckdb/node-api/package.json") as { version: string }
  ).version;
  return database;
}

let database: string | undefined;

function compute(): string {
  const hash = createHash("sha256");
  const deno = createRequire(import.meta.url)("deno/package.json") as { version: string };
  hash.update(deno.version);
  const folder = fileURLToPath(new URL("./guest/", import.meta.url));
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  );
  for (const name of names.toSorted()) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}
