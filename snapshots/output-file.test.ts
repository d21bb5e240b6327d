import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { unwritable, writeWhole } from "./output-file.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-output-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a new file is made, and nothing beside it", () => {
  mkdirSync(at("a"));
  expect(writeWhole(at("a/new.html"), "x")).toBeUndefined();
  expect(readdirSync(at("a"))).toEqual(["new.html"]);
});

test("a file is replaced where it lies: through a link, and with its mode", () => {
  mkdirSync(at("real"));
  writeFileSync(at("real/target.html"), "old", { mode: 0o600 });
  symlinkSync(at("real/target.html"), at("link.html"));
  expect(writeWhole(at("link.html"), "new")).toBeUndefined();
  expect(readFileSync(at("real/target.html"), "utf8")).toBe("new");
  expect(statSync(at("real/target.html")).mode & 0o777).toBe(0o600);
  expect(readdirSync(at("real"))).toEqual(["target.html"]);
});

test("what is no file is written into, or said to be a folder", () => {
  expect(unwritable("/dev/null")).toBeUndefined();
  expect(writeWhole("/dev/null", "x")).toBeUndefined();
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  expect(unwritable(folder)).toMatchObject({ code: "not-written" });
  expect(unwritable(at("no/such.csv"))).toMatchObject({ code: "not-written" });
});
