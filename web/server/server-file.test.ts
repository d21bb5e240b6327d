import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { newToken } from "../auth/token.ts";
import { readServerFile, removeServerFile, writeServerFile } from "./server-file.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-server-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, ".penstock/server.json");

test("holds the token for its owner's eyes only", () => {
  const server = { pid: process.pid, port: 4747, token: newToken() };
  writeServerFile(path, server);
  expect(readServerFile(path)).toEqual(server);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  removeServerFile(path);
  expect(readServerFile(path)).toBeUndefined();
});

test("another process's file is left alone; a broken one counts as none", () => {
  const server = { pid: process.pid + 1, port: 4747, token: newToken() };
  writeServerFile(path, server);
  removeServerFile(path);
  expect(readServerFile(path)).toEqual(server);
  writeFileSync(path, "{");
  expect(readServerFile(path)).toBeUndefined();
});
