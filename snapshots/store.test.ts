import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openContentStore } from "./store.ts";
import type { TableInfo } from "./table.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "penstock-store-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const info = (hash: string): TableInfo => ({
  hash: hash.repeat(64),
  columns: [{ name: "n", type: "BIGINT", nullable: false }],
  rows: 1,
  sizeBytes: 0,
  hasLineage: false,
});

test("a table is taken in once; the second copy is dropped", () => {
  const store = openContentStore(root);
  const [first, second] = [store.tempPath(), store.tempPath()];
  writeFileSync(first, "first");
  writeFileSync(second, "second, longer");
  expect(store.tableInfo(info("a").hash)).toBeUndefined();
  expect(store.adoptTable(first, info("a"))).toEqual({ ...info("a"), sizeBytes: 5 });
  expect(store.adoptTable(second, info("a"))).toEqual({ ...info("a"), sizeBytes: 5 });
  expect(readdirSync(join(root, "temp"))).toEqual([]);
  expect(openContentStore(root).tableInfo(info("a").hash)).toEqual({ ...info("a"), sizeBytes: 5 });
});

test("blobs and entries come back as they went", () => {
  const store = openContentStore(root);
  const hash = store.putBlob(Buffer.from("some bytes"));
  expect(store.putBlob(Buffer.from("some bytes"))).toBe(hash);
  expect(Buffer.from(store.getBlob(hash) ?? []).toString()).toBe("some bytes");
  expect(store.getBlob("0".repeat(64))).toBeUndefined();
  store.putEntry("a key / of any length", "value");
  expect(store.getEntry("a key / of any length")).toBe("value");
  expect(store.getEntry("another")).toBeUndefined();
});

test("what a dead process was making is swept when the store is opened; a living one's is left alone", () => {
  const store = openContentStore(root);
  const mine = store.tempPath();
  writeFileSync(mine, "in the making");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const left = join(root, "temp", `${dead}-12345678-left.duckdb`);
  writeFileSync(left, "left");
  // The same process id again, of an earlier process.
  const earlier = join(root, "temp", `${process.pid}-00000000-left.duckdb`);
  writeFileSync(earlier, "left");
  openContentStore(root);
  expect([existsSync(mine), existsSync(left), existsSync(earlier)]).toEqual([true, false, false]);
});

test("something that is no hash never becomes a path", () => {
  const store = openContentStore(root);
  expect(() => store.tablePath("../../etc/passwd")).toThrow("not a content hash");
  expect(store.tableInfo("../../etc/passwd")).toBeUndefined();
  expect(store.getBlob("../../etc/passwd")).toBeUndefined();
});
