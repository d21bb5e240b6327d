import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unwrap } from "./problem.ts";
import { listSources, openWorkspace, readSnapshot, readSource } from "./workspace.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "penstock-workspace-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

test("a folder without penstock.yaml, or none at all, is a clear problem", () => {
  for (const dir of [root, join(root, "nowhere")]) {
    expect(openWorkspace(dir)).toMatchObject({
      ok: false,
      problem: { code: "no-workspace", hint: expect.stringContaining("penstock init") },
    });
  }
});

test("policies say how many approvals an environment asks for", () => {
  write(
    "penstock.yaml",
    "name: demo\npolicies:\n  environments:\n    production: { approvals: 1 }\n    staging: {}\n",
  );
  expect(unwrap(openWorkspace(root)).policies).toEqual({
    environments: { production: { approvals: 1 }, staging: { approvals: 0 } },
  });
});

describe("a bad file is a problem with its place", () => {
  test.each([
    ["name: [", "yaml-syntax", 1],
    [
      "name: demo\npolicies:\n  environments:\n    production:\n      approvals: many\n",
      "bad-file",
      5,
    ],
    ["policies: {}\n", "bad-file", 1],
    ["name: demo\ncolour: red\n", "bad-file", 1],
  ])("%j", (text, code, line) => {
    write("penstock.yaml", text);
    expect(openWorkspace(root)).toMatchObject({
      ok: false,
      problem: { code, at: { file: "penstock.yaml", line } },
    });
  });
});

test("a broken source hides no other", () => {
  write("penstock.yaml", "name: demo\n");
  write("sources/good.yaml", "format: csv\npath: data/x.csv\nidentity: [id]\n");
  write("sources/bad.yaml", "format: csv\npath: data/x.csv\nidentity: id\n");
  const { sources, problems } = listSources(unwrap(openWorkspace(root)));
  expect(sources.map((source) => source.name)).toEqual(["good"]);
  expect(problems).toMatchObject([{ code: "bad-file", at: { file: "sources/bad.yaml", line: 3 } }]);
});

test("what is not there is named, with what is", () => {
  write("penstock.yaml", "name: demo\n");
  write("sources/flights.yaml", "format: csv\npath: data/x.csv\n");
  const workspace = unwrap(openWorkspace(root));
  expect(readSource(workspace, "fligths")).toMatchObject({
    ok: false,
    problem: { code: "no-such-source", hint: "There are: flights." },
  });
  for (const name of ["flights@x", "flights", "../penstock", "a@../../b"]) {
    expect(readSnapshot(workspace, name)).toMatchObject({
      ok: false,
      problem: { code: "no-such-snapshot" },
    });
  }
});
