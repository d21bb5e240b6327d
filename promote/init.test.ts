import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { listSnapshots, openWorkspace } from "#snapshots/workspace.ts";
import { listEnvironments } from "./environments.ts";
import { git } from "./git.ts";
import { initWorkspace } from "./init.ts";
import { openWorkbench } from "./workbench.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-init-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const status = (root: string) =>
  execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" });

describe("initWorkspace", () => {
  test("an empty workspace opens, is committed, and asks an approval for production", async () => {
    const root = join(folder, "plain");
    expect(unwrap(await initWorkspace({ dir: root, demo: false }))).toEqual({
      root,
      created: true,
    });
    expect(unwrap(openWorkspace(root)).name).toBe("plain");
    expect(status(root)).toBe("");
    const { environments, problems } = await listEnvironments(git(root));
    expect(problems).toEqual([]);
    expect(environments).toMatchObject([
      { name: "staging", approvals: 0, pipelines: {} },
      { name: "production", approvals: 1, fourEyes: false, pipelines: {} },
    ]);
  });

  test("a second time changes nothing", async () => {
    const root = join(folder, "plain");
    const head = await git(root).head();
    expect(unwrap(await initWorkspace({ dir: root, demo: false }))).toEqual({
      root,
      created: false,
    });
    expect(await git(root).head()).toBe(head);
  });

  test("fills a folder that is there and empty, also one a killed attempt had begun to fill", async () => {
    for (const name of ["empty", "half"]) {
      const root = join(folder, name);
      mkdirSync(root);
      if (name === "half") {
        writeFileSync(join(root, ".penstock-unfinished"), "");
        mkdirSync(join(root, "sources"));
      }
      expect(unwrap(await initWorkspace({ dir: root, demo: false })).created).toBe(true);
      expect(readdirSync(root)).not.toContain(".penstock-unfinished");
      expect(status(root)).toBe("");
    }
  });

  test("removes what a killed attempt left beside the place", async () => {
    const left = join(folder, ".again.making-999999999");
    mkdirSync(left);
    unwrap(await initWorkspace({ dir: join(folder, "again"), demo: false }));
    expect(existsSync(left)).toBe(false);
  });

  test("makes a repository of a workspace that lost it, and commits what is there", async () => {
    const root = join(folder, "again");
    rmSync(join(root, ".git"), { recursive: true });
    unwrap(await initWorkspace({ dir: root, demo: false }));
    expect(await git(root).isRepository()).toBe(true);
    expect(status(root)).toBe("");
  });

  test("refuses a folder that holds something else, and a file", async () => {
    const root = join(folder, "occupied");
    mkdirSync(root);
    writeFileSync(join(root, "thesis.txt"), "");
    expect(await initWorkspace({ dir: root, demo: false })).toMatchObject({
      problem: { code: "folder-not-empty", message: expect.stringContaining("not empty") },
    });
    const file = join(root, "thesis.txt");
    expect(await initWorkspace({ dir: file, demo: false })).toMatchObject({
      problem: { code: "folder-not-usable" },
    });
    expect(readdirSync(root)).toEqual(["thesis.txt"]);
  });

  test("the demo has its two snapshots frozen and everything committed; opened, its flights begin to arrive", async () => {
    const root = join(folder, "demo");
    unwrap(await initWorkspace({ dir: root, demo: true }));
    const { snapshots, problems } = listSnapshots(unwrap(openWorkspace(root)));
    expect(problems).toEqual([]);
    expect(snapshots.map(({ name, rows }) => [name, rows])).toEqual([
      ["airports@2001", 3376],
      ["flights@2001q1", 1_477_911],
    ]);
    expect(status(root)).toBe("");
    expect(existsSync(join(root, "README.md"))).toBe(true);

    const workbench = unwrap(await openWorkbench(root, { withSync: true, holdLock: true }));
    const topic = join(root, ".penstock/topics/flights");
    const size = () =>
      readdirSync(topic).reduce((sum, name) => sum + statSync(join(topic, name)).size, 0);
    await expect.poll(size).toBeGreaterThan(1000);
    expect(workbench.feedProblem()).toBeUndefined();
    await workbench.close();
    expect(status(root)).toBe("");
  });
});
