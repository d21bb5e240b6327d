import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { insertDeadLetters, type DeadLetter } from "#promote/sync/dead-letters/dead-letters.ts";
import { openFileLogWriter } from "#promote/sync/embedded/file-log.ts";
import type { NewRecord } from "#promote/sync/embedded/frames.ts";
import { openSyncState } from "#promote/sync/state.ts";
import { unwrap } from "#snapshots/problem.ts";
import { edit, tinyWorkspace } from "#web/api/tiny-workspace.ts";

const launcher = fileURLToPath(new URL("./penstock.mjs", import.meta.url));
const empty = mkdtempSync(join(tmpdir(), "penstock-cli-"));
let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;

beforeAll(async () => {
  tiny = await tinyWorkspace();
});

afterAll(() => {
  tiny.remove();
  rmSync(empty, { recursive: true });
});

/** Each for a reason of its own, of records that the topic does not hold any more. */
function lettersOfBefore(count: number): DeadLetter[] {
  const before = { topic: "trips", incarnation: "of before", partition: 0, release: "r", at: "" };
  return Array.from({ length: count }, (_, offset) => ({
    ...before,
    offset,
    stage: "transform",
    reason: `no (line ${offset})`,
    key: null,
    value: null,
    headers: [],
    timestampMs: 0,
  }));
}

type Ran = { code: number | null; stdout: string; stderr: string };

function penstock(
  arguments_: string[],
  cwd = tiny.dir,
  more: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [launcher, ...arguments_], {
      cwd,
      stdio: "pipe",
      env: { ...process.env, ...more },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const verbs = [
  "init",
  "freeze",
  "run",
  "diff",
  "release",
  "approve",
  "promote",
  "rollback",
  "environments",
  "sync",
  "verify",
  "dead-letters",
  "replay",
  "backfill",
  "generations",
  "register",
  "status",
  "open",
];

test("the help names every verb and the exit codes", async () => {
  const { code, stdout } = await penstock(["--help"], empty);
  expect(code).toBe(0);
  for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} `, "m"));
  expect(stdout).toContain(
    "Exit codes: 0 done, 1 a difference or a failed check, 2 could not do it.",
  );
});

test.each(verbs)("%s --help shows an example", async (verb) => {
  const { code, stdout } = await penstock([verb, "--help"], empty);
  expect(code).toBe(0);
  expect(stdout).toContain(`$ penstock ${verb}`);
});

describe("what cannot be done is one problem and exit code 2", () => {
  const cases: [string, () => string[], RegExp][] = [
    ["a verb that is none", () => ["fly"], /unknown command 'fly'/],
    ["an option that is none", () => ["status", "--loud"], /unknown option '--loud'/],
    [
      "no workspace here or above",
      () => ["status"],
      /There is no Penstock workspace in .*\n {2}Name it with --workspace DIR/,
    ],
    [
      "a folder that is no workspace",
      () => ["status", "--workspace", empty],
      /is not a Penstock workspace: it has no penstock.yaml/,
    ],
    ["a port that is none", () => ["open", "--port", "http"], /Give a number from 0 to 65535/],
    [
      "a version that is none",
      () => ["diff", "x", "--before", "yesterday"],
      /Give git:REVISION, environment:NAME, release:HASH or working/,
    ],
    [
      "a repair carried out that none asked for",
      () => ["verify", "staging:slow", "--yes"],
      /--yes carries out a repair, and no repair is asked for/,
    ],
    [
      "a pipeline's name that is a path",
      () => ["verify", "staging:../slow"],
      /names no pipeline.\n {2}Say ENVIRONMENT:PIPELINE/,
    ],
    [
      "a dead letter's place that is none",
      () => ["replay", "staging:slow", "--at", "here"],
      /Give TOPIC\/PARTITION\/OFFSET/,
    ],
    [
      "an environment without a name",
      () => ["promote", "x", "--to", ""],
      /option '--to <environment>' is empty/,
    ],
    [
      "a rollback in no environment",
      () => ["rollback", "x", "--in", ""],
      /option '--in <environment>' is empty/,
    ],
    ["a release without a hash", () => ["approve", "x", "", "--reason", "y"], /'hash' is empty/],
    [
      "a finding without a name",
      () => ["approve", "x", "--reason", "y", "--finding", ""],
      /'--finding <id>' is empty/,
    ],
    ["a notebook without a name", () => ["run", ""], /argument 'notebook' is empty/],
    ["a folder without a name", () => ["init", ""], /argument 'dir' is empty/],
    [
      "an environment to move without a name",
      () => ["environments", "use", "embedded", "--only", "a", ""],
      /'--only <environment...>' is empty/,
    ],
    [
      "a limit to letters of no group",
      () => ["dead-letters", "staging:slow", "--limit", "5"],
      /--limit is of the letters of one group, and no group is named/,
    ],
    ["a sample of nothing", () => ["freeze", "x", "--sample", "0%"], /Give a share above 0/],
  ];
  test.each(cases)("%s", async (_name, arguments_, said) => {
    const { code, stdout, stderr } = await penstock(arguments_(), empty);
    expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("in JSON it is a problem too", async () => {
    const { code, stdout } = await penstock(["status", "--json"], empty);
    expect(JSON.parse(stdout)).toMatchObject({ problem: { code: "no-workspace" } });
    expect(code).toBe(2);
  });
});

test("the workspace is found from a folder inside it, and as ./workspace beside us", async () => {
  const inside = join(tiny.dir, "notebooks");
  expect(JSON.parse((await penstock(["status", "--json"], inside)).stdout)).toMatchObject({
    workspace: { name: "tiny" },
  });
  const beside = mkdtempSync(join(tmpdir(), "penstock-beside-"));
  mkdirSync(join(beside, "workspace"));
  writeFileSync(join(beside, "workspace/penstock.yaml"), "name: beside\n");
  const { stderr } = await penstock(["status"], beside);
  expect(stderr).toContain("not a Git repository");
  rmSync(beside, { recursive: true });
});

// Two dozen processes each: long on a busy machine.
const long = { timeout: 300_000 };

test(
  "the way of a transform in a terminal: freeze, run, diff, release, promote, approve, roll back",
  long,
  async () => {
    const froze = await penstock(["freeze", "trips", "--label", "one"]);
    expect(froze).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("Freezing trips@one") as string,
    });
    expect(froze.stdout).toMatch(/^trips@one {2}200 rows {2}[0-9a-f]{12}/);
    const unknown = await penstock(["freeze", "nope", "--label", "one"]);
    expect(unknown).toMatchObject({ code: 2, stdout: "" });
    expect(unknown.stderr).toContain("There are: trips.");

    const ran = await penstock(["run", "notebooks/slow.ts"]);
    expect(ran.stdout).toContain("read 200 = written 134 + filtered 66");
    expect(ran.code).toBe(0);

    expect((await penstock(["diff", "slow"])).code).toBe(0);
    edit(tiny.dir, "notebooks/slow.ts", "> 30", "> 40");
    const differs = await penstock(["diff", "slow", "--rows", "2"]);
    expect(differs.code).toBe(1);
    expect(differs.stdout).toContain("the outputs differ");
    expect(differs.stdout).toMatch(/~ .*isSlow: true → false/);
    const history = await penstock(["diff", "slow", "--history"]);
    expect(history.stdout.trim().split("\n")).toHaveLength(3);
    const [id = ""] = /^[0-9a-f]{8}/m.exec(history.stdout) ?? [];
    const held = await penstock(["diff", "slow", "--since", id]);
    expect(held.stdout).toMatch(/ 0 new[^]* 0 gone/);
    const markdown = await penstock(["diff", "slow", "--format", "markdown"]);
    expect(markdown.stdout).toMatch(/^### slow.*different/);
    const none = await penstock(["diff", "slow", "--since", "none"]);
    expect(none.stderr).toContain("has an id that begins with none");
    expect((await penstock(["diff", "fast"])).stderr).toContain("There are: slow.");

    const released = await penstock(["release", "slow", "--json"]);
    const { hash, findings } = JSON.parse(released.stdout) as { hash: string; findings: string[] };
    expect(released.code).toBe(0);
    expect((await penstock(["promote", "slow", "--to", "staging"])).stdout).toContain(
      `staging now asks for slow ${hash.slice(0, 6)}`,
    );
    const plan = await penstock(["promote", "slow", "--to", "production", "--plan"]);
    expect(plan.code).toBe(1);
    expect(plan.stdout).toContain("approvals: 0 of 1");
    const refused = await penstock(["promote", "slow", "--to", "production"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("production asks for 1 approval");
    const approve = [
      "approve",
      "slow",
      hash,
      "--reason",
      "Good",
      ...findings.flatMap((id) => ["--finding", id]),
    ];
    expect((await penstock(approve)).stdout).toContain(`approved slow ${hash.slice(0, 12)}`);
    expect((await penstock(["promote", "slow", "--to", "production"])).code).toBe(0);
    const first = await penstock(["rollback", "slow", "--in", "staging"]);
    expect(first.code).toBe(2);
    expect(first.stderr).toContain("the first of slow");

    const status = await penstock(["status"]);
    expect(status.stdout).toMatch(
      /slow\s+[0-9a-f]{12}.*staging, production|slow\s+[0-9a-f]{12}.*production, staging/,
    );
    const synced = await penstock(["sync", "--until-idle"]);
    expect(synced.stdout).toContain("staging/slow");
    expect(synced.code).toBe(0);
  },
);

test(
  "operating pipelines in a terminal: environments, verify, repair, dead letters, replay, backfill",
  long,
  async () => {
    const log = unwrap(
      await openFileLogWriter(join(tiny.dir, ".penstock/topics/trips"), { fsync: "never" }),
    );
    const trip = (id: number, minutes: number | string): NewRecord => ({
      key: Buffer.from(String(id)),
      value: Buffer.from(JSON.stringify({ id, city: "Oslo", minutes })),
      timestampMs: 1,
    });
    unwrap(await log.append([trip(1, 50), trip(2, "soon\u202e"), trip(3, 10), trip(1, 5)]));
    await log.close();
    expect((await penstock(["sync", "--until-idle", "--environment", "staging"])).stdout).toContain(
      "read 4 = written 3 + filtered 0 + stale 0 + dead 1",
    );

    const listed = await penstock(["environments"]);
    expect(listed.stdout).toMatch(/staging +embedded +server +0 +slow [0-9a-f]{6}/);
    const moved = await penstock(["environments", "use", "elsewhere"]);
    expect(moved).toMatchObject({ code: 2, stdout: "" });
    expect(moved.stderr).toContain("`use stack` or `use embedded`");
    for (const [arguments_, said] of [
      [["rollback", "slow", "--in", "staging", "--to", "?"], "`to` is not a release's hash"],
      [["sync", "--until-idle", "--environment", "nope"], 'There is no environment "nope"'],
      [["dead-letters", "nope:slow", "--group", "ffffffffffff"], 'There is no environment "nope"'],
    ] as const) {
      const refused = await penstock([...arguments_]);
      expect(refused).toMatchObject({ code: 2, stdout: "" });
      expect(refused.stderr).toContain(said);
    }
    const already = await penstock(["environments", "use", "embedded"]);
    expect(already).toMatchObject({ code: 0 });
    expect(already.stdout).toContain("already run on files in the workspace");
    // What this machine's stack has is recorded elsewhere: here nothing was started.
    const none = { PENSTOCK_STACK_HOME: join(tiny.dir, "no-stack") };
    const noStack = await penstock(["environments", "use", "stack"], tiny.dir, none);
    expect(noStack).toMatchObject({ code: 2, stdout: "" });
    expect(noStack.stderr).toContain("the stack was not started");
    const one = { ...none, PENSTOCK_STACK_KAFKA: "127.0.0.1:1" };
    const deaf = await penstock(["environments", "use", "stack"], tiny.dir, one);
    expect(deaf.stderr).toMatch(/Not all servers of the stack answer: .*kafka \(/);
    expect(
      (await penstock(["environments", "use", "embedded", "--only", "moon"])).stderr,
    ).toContain('no environment "moon"');

    const verified = await penstock(["verify", "staging:slow"]);
    expect(verified.code).toBe(0);
    expect(verified.stdout).toMatch(/table +equal +2 +2 +2 +0 +0 +0/);
    expect(verified.stdout).toContain("offsets trips/0: 0–4");
    const { sinks } = JSON.parse((await penstock(["verify", "staging:slow", "--json"])).stdout) as {
      sinks: { counts: object }[];
    };
    expect(sinks.map(({ counts }) => counts)).toMatchObject([{ equal: 2 }, { equal: 2 }]);
    expect((await penstock(["verify", "staging:slow", "--repair"])).stdout).toContain(
      "Nothing to repair.",
    );
    expect((await penstock(["verify", "staging"])).stderr).toContain("ENVIRONMENT:PIPELINE");
    expect((await penstock(["verify", "staging:nope"])).stderr).toContain("It asks for slow.");

    const groups = await penstock(["dead-letters", "staging:slow"]);
    const [, group = ""] =
      /^([0-9a-f]{12}) +decode +1 .*column `minutes` is "soon\\u202e"/m.exec(groups.stdout) ?? [];
    expect(group).not.toBe("");
    const letters = await penstock(["dead-letters", "staging:slow", "--group", group]);
    expect(letters.stdout).toMatch(/^trips\/0\/1 .*"soon\\u202e"/m);
    expect(
      JSON.parse((await penstock(["dead-letters", "staging:slow", "--json"])).stdout),
    ).toMatchObject({ total: 1, groups: [{ id: group, stage: "decode", count: 1 }] });

    const unlisted = await penstock(["replay", "staging:slow", "--stage", "transform"]);
    expect(unlisted).toMatchObject({ code: 2, stdout: "" });
    expect(unlisted.stderr).toContain("No dead letter of staging:slow is of transform.");
    for (const choice of [[], ["--stage", "decode"], ["--group", group], ["--at", "trips/0/1"]]) {
      const replayed = await penstock(["replay", "staging:slow", ...choice]);
      expect(replayed.code).toBe(0);
      expect(replayed.stdout).toContain(
        "Asked for: 1 dead letter of staging:slow to be handled again",
      );
      expect(replayed.stdout).toContain("No worker runs the pipeline now");
    }
    const state = openSyncState(join(tiny.dir, ".penstock/state.db"));
    insertDeadLetters(state, { environment: "staging", name: "slow" }, lettersOfBefore(501));
    state.close();
    const many = await penstock(["dead-letters", "staging:slow"]);
    expect(many.stdout).toContain("… and 2 smaller groups with 2 letters.");
    const ofBoth = ["--stage", "transform", "--group", group, "--at", "trips/0/1"];
    const some = await penstock(["replay", "staging:slow", ...ofBoth]);
    expect(some).toMatchObject({ code: 1 });
    expect(some.stdout).toContain("Asked for: 1 dead letter of staging:slow");
    expect(some.stdout).toContain("Left as they are: 501 records the topic no longer holds.");
    for (const command of ["replay", "dead-letters"]) {
      expect(await penstock([command, "production:slow"])).toMatchObject({
        code: 0,
        stdout: "There are no dead letters of production:slow.\n",
      });
      const nobodys = await penstock([command, "production:fast"]);
      expect(nobodys).toMatchObject({ code: 2, stdout: "" });
      expect(nobodys.stderr).toContain("the environment production asks for no such pipeline");
      const nowhere = await penstock([command, "nowhere:slow"]);
      expect(nowhere).toMatchObject({ code: 2, stdout: "" });
      expect(nowhere.stderr).toContain('There is no environment "nowhere"');
    }
    const filled = await penstock(["backfill", "staging:slow"]);
    expect(filled.stdout).toContain(
      "Asked for: 4 records of 1 partition to be written again, in a new epoch. No worker runs",
    );
    const registered = await penstock(["register", "staging:slow", "--subject", "slow-value"]);
    expect(registered).toMatchObject({ code: 2 });
    expect(registered.stderr).toContain("names no schema registry");
    const indices = await penstock(["generations", "staging:slow"]);
    expect(indices).toMatchObject({ code: 2 });
    expect(indices.stderr).toContain("staging:slow has no index in Elasticsearch");
    const both = await penstock(["generations", "staging:slow", "--read", "1", "--drop", "2"]);
    expect(both.stderr).toContain("two acts");
  },
);
