import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { git, type Git } from "./git.ts";

let root: string;
let repository: Git;
const shell = (...arguments_: string[]) =>
  execFileSync("git", arguments_, { cwd: root, encoding: "utf8" });
const write = (path: string, text: string) => writeFileSync(join(root, path), text);
const read = (path: string) => readFileSync(join(root, path), "utf8");
const author = { name: "Ada Lovelace", email: "ada@example.org" };

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "penstock-git-"));
  repository = git(root);
  unwrap(await repository.init());
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const commit = async (files: Record<string, string | null>, message = "change") =>
  unwrap(await repository.commitFiles({ files, message, author }));

describe("commitFiles", () => {
  test("makes the first commit on an unborn branch, and status is clean after it", async () => {
    const { commit: id } = await commit({ "a.txt": "one\n", "deep/er/b.txt": "two\n" }, "Begin");
    expect(await repository.head()).toBe(id);
    expect(unwrap(await repository.status())).toEqual([]);
    expect(shell("branch", "--show-current").trim()).toBe("main");
    expect(unwrap(await repository.log())).toMatchObject([{ id, author, subject: "Begin" }]);
  });

  test("commits only its own files: staged, unstaged and untracked edits stay as they were", async () => {
    await commit({ "staged.txt": "0\n", "edited.txt": "0\n", "ours.txt": "0\n" });
    write("staged.txt", "1\n");
    shell("add", "staged.txt");
    write("edited.txt", "1\n");
    write("new.txt", "1\n");
    const { commit: id } = await commit({ "ours.txt": "1\n" });
    expect(shell("show", "--name-only", "--format=", id ?? "").trim()).toBe("ours.txt");
    expect(shell("status", "--porcelain").split("\n").toSorted()).toEqual([
      "",
      " M edited.txt",
      "?? new.txt",
      "M  staged.txt",
    ]);
    expect(read("ours.txt")).toBe("1\n");
  });

  test("leaves the user's own edit of the committed file in the working tree", async () => {
    await commit({ "a.txt": "0\n" });
    write("a.txt", "mine\n");
    await commit({ "a.txt": "theirs\n" });
    expect(read("a.txt")).toBe("mine\n");
    expect(unwrap(await repository.show("HEAD", "a.txt"))).toBe("theirs\n");
    expect(shell("status", "--porcelain")).toBe(" M a.txt\n");
  });

  test("leaves what the user staged in the committed file staged", async () => {
    await commit({ "a.txt": "0\n" });
    write("a.txt", "mine\n");
    shell("add", "a.txt");
    await commit({ "a.txt": "theirs\n" });
    expect(shell("show", ":a.txt")).toBe("mine\n");
    expect(read("a.txt")).toBe("mine\n");
  });

  test("removes a file with null, and nothing to do makes no commit", async () => {
    await commit({ "a.txt": "0\n", "b.txt": "0\n" });
    await commit({ "a.txt": null });
    expect(unwrap(await repository.list("HEAD", "."))).toEqual(["b.txt"]);
    expect(unwrap(await repository.status())).toEqual([]);
    const again = await commit({ "b.txt": "0\n" });
    expect(again.commit).toBeUndefined();
  });

  test("loses no commit when many are made at once", async () => {
    await commit({ "counter.txt": "0" });
    const increment = async (_: unknown, index: number) =>
      unwrap(
        // Every other one as another process would: a second `git` does not wait in the first one's line.
        await (index % 2 ? repository : git(root)).commitFiles({
          files: async (head) => ({
            "counter.txt": String(Number(await head.read("counter.txt")) + 1),
          }),
          message: "one more",
          author,
        }),
      );
    await Promise.all(Array.from({ length: 8 }, increment));
    expect(unwrap(await repository.show("HEAD", "counter.txt"))).toBe("8");
  });

  test("works on a detached HEAD, with hostile hooks and signing configured, and odd file names", async () => {
    await commit({ "a.txt": "0\n" });
    shell("checkout", "-q", "--detach");
    shell("config", "commit.gpgsign", "true");
    mkdirSync(join(root, ".git/hooks"), { recursive: true });
    writeFileSync(join(root, ".git/hooks/reference-transaction"), "#!/bin/sh\nexit 1\n", {
      mode: 0o755,
    });
    await commit({ "-n *.txt": "1\n", 'grüße "x".txt': "2\n" });
    expect(unwrap(await repository.status())).toEqual([]);
    expect(unwrap(await repository.show("HEAD", "-n *.txt"))).toBe("1\n");
  });

  test("needs no configured user", async () => {
    const saved = { ...process.env };
    Object.assign(process.env, { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" });
    try {
      unwrap(await git(root).commitFiles({ files: { "a.txt": "0\n" }, message: "Begin" }));
    } finally {
      process.env = saved;
    }
    expect(unwrap(await repository.log())[0]?.author.name).not.toBe("");
  });

  test("refuses a path outside the workspace", async () => {
    for (const path of ["../a", "/a", ".git/config", "a//b", "a/../b"]) {
      await expect(commit({ [path]: "x" })).rejects.toThrow("not a path inside");
    }
  });
});

test("a folder inside another repository is not a repository of its own", async () => {
  await commit({ "a.txt": "0\n" });
  mkdirSync(join(root, "inner"));
  const inner = git(join(root, "inner"));
  expect(await inner.isRepository()).toBe(false);
  expect(await repository.isRepository()).toBe(true);
  unwrap(await inner.init());
  expect(await inner.isRepository()).toBe(true);
});

test("an unknown revision is a problem, also one that looks like an option", async () => {
  await commit({ "a.txt": "0\n" });
  for (const revision of ["nope", "--all", "HEAD~5", ""]) {
    expect(await repository.show(revision, "a.txt")).toMatchObject({
      ok: false,
      problem: { code: "revision-unknown" },
    });
  }
  expect(unwrap(await repository.show("HEAD", "absent.txt"))).toBeUndefined();
});

test("reads one file in many commits at once", async () => {
  const first = await commit({ "a.txt": "grüße\n" });
  const second = await commit({ "a.txt": null, "b.txt": "" });
  const third = await commit({ "a.txt": "" });
  const ids = [first, second, third].map(({ head }) => head);
  expect(await repository.showEach(ids, "a.txt")).toEqual(["grüße\n", undefined, ""]);
});
