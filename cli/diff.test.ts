import { spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DiffSummary } from "#snapshots/diff.ts";
import { withDuckDB } from "#snapshots/test-duckdb.ts";
import { edit, tinyWorkspace } from "#web/api/tiny-workspace.ts";

const launcher = fileURLToPath(new URL("./penstock.mjs", import.meta.url));
/** Files and nothing else: no workspace here or above. */
const folder = realpathSync(mkdtempSync(join(tmpdir(), "penstock-diff-test-")));
let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;

type Ran = { code: number | null; stdout: string; stderr: string };

function penstock(arguments_: string[], cwd = folder): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [launcher, ...arguments_], { cwd, stdio: "pipe" });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

async function summary(arguments_: string[], cwd = folder): Promise<DiffSummary> {
  const { stdout, stderr } = await penstock(["diff", ...arguments_, "--format", "json"], cwd);
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as DiffSummary;
}

const old =
  "SELECT range AS id, ['DEN', 'SFO', 'ORD'][range % 3 + 1] AS origin, range * 1.5 AS delay FROM range(300)";
const now = `SELECT id, origin, CASE WHEN origin = 'DEN' THEN delay + 10 ELSE delay END::DECIMAL(21,1) AS delay FROM (${old}) WHERE id <> 5
  UNION ALL SELECT 900, 'NEW', 1.5`;

beforeAll(async () => {
  tiny = await tinyWorkspace();
  await withDuckDB([
    `CREATE TABLE old AS ${old}`,
    `CREATE TABLE now AS ${now}`,
    `COPY old TO '${folder}/old.parquet'`,
    `COPY now TO '${folder}/now.parquet'`,
    `COPY old TO '${folder}/old.csv'`,
    `COPY now TO '${folder}/now.csv'`,
    `COPY now TO '${folder}/now.jsonl' (FORMAT json)`,
    `ATTACH '${folder}/now.duckdb' AS file`,
    "CREATE SCHEMA file.s",
    "CREATE TABLE file.s.t AS FROM now",
  ]);
});

afterAll(() => {
  tiny.remove();
  rmSync(folder, { recursive: true });
});

describe("two files, without a workspace", () => {
  test("text for people: the answer, counts that add up, columns, causes, samples", async () => {
    const before = readdirSync(folder);
    const ran = await penstock(["diff", "old.parquet", "now.parquet", "--key", "id"]);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain("old.parquet → now.parquet: different");
    expect(ran.stdout).toContain("left  300 = 199 + 100 + 1 + 0");
    expect(ran.stdout).toContain("right 300 = 199 + 100 + 1 + 0");
    expect(ran.stdout).toMatch(/delay +DECIMAL\(21,1\) +100 +33.44 % +10.0/);
    expect(ran.stdout).toMatch(/origin = DEN {2}100 of 100/);
    expect(ran.stdout).toContain("~ 0  delay: 0.0 → 10.0");
    expect(ran.stdout).toContain("− 5  origin: ORD  delay: 7.5");
    expect(ran.stdout).toContain("Changed, the first 20 of 100");
    expect(ran.stderr).toBe("Comparing\nSearching for causes\n");
    expect(readdirSync(folder)).toEqual(before);
  });

  test.each([
    ["now.csv", "old.csv"],
    ["now.jsonl", "old.csv"],
    ["now.duckdb#s.t", "old.parquet"],
    ["./now.parquet", "../../../../../../../../" + join(folder, "old.parquet")],
  ])("%s against %s", async (right, left) => {
    const found = await summary([left, right, "--key", "id"]);
    expect(found).toMatchObject({ identical: false, complete: true, keys: ["id"] });
    expect(found.rows).toMatchObject({ equal: 199, changed: 100, added: 1, removed: 1 });
  });

  test("the same file is identical, and the exit code says so", async () => {
    const ran = await penstock(["diff", "old.parquet", "old.parquet"]);
    expect(ran.stdout).toContain("identical");
    expect(ran.stdout).toContain("Rows are compared whole, as a multiset");
    expect(ran.code).toBe(0);
  });

  test("JSON is the documented object and nothing else, its fields in order", async () => {
    const ran = await penstock([
      "diff",
      "old.parquet",
      "now.parquet",
      "--key",
      "id",
      "--format",
      "json",
    ]);
    const found = JSON.parse(ran.stdout) as DiffSummary;
    expect(Object.keys(found)).toEqual([
      "identical",
      "complete",
      "keys",
      "rows",
      "columns",
      "renameCandidates",
      "samples",
      "causes",
      "elapsedMs",
    ]);
    expect(Object.keys(found.columns[0] ?? {}).slice(0, 6)).toEqual([
      "name",
      "status",
      "leftType",
      "rightType",
      "rule",
      "changed",
    ]);
    expect(found.samples.changed).toHaveLength(20);
    expect(ran.code).toBe(1);
  });
});

test("the report goes to a file, as a page or as Markdown, and nothing to stdout", async () => {
  const sides = ["diff", "old.parquet", "now.parquet", "--key", "id"];
  const page = await penstock([...sides, "--format", "html", "--out", "r.html"]);
  expect(page).toMatchObject({ code: 1, stdout: "" });
  expect(page.stderr).toContain(`different; the report is in ${join(folder, "r.html")}`);
  const html = readFileSync(join(folder, "r.html"), "utf8");
  expect(html).toContain("--changed-mark: light-dark(");
  expect(html).toContain("origin = DEN");
  const markdown = await penstock([...sides, "--format", "markdown"]);
  expect(markdown.stdout).toMatch(/^### old.parquet → now.parquet: different\n/);
});

test("every differing row goes to a file", async () => {
  const sides = ["diff", "old.parquet", "now.parquet", "--key", "id", "--no-causes"];
  const ran = await penstock([...sides, "--rows-out", "rows.csv"]);
  expect(ran.stdout).toContain("All 102 differing rows are in rows.csv.");
  const lines = readFileSync(join(folder, "rows.csv"), "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(103);
  expect(lines[1]).toBe('changed,0,0,DEN,0.0,0,DEN,10.0,"[""delay""]"');
});

describe("flags", () => {
  const cases: [string, string[], (found: DiffSummary) => void][] = [
    [
      "several keys",
      ["--key", "id", "--key", "origin"],
      ({ keys }) => expect(keys).toEqual(["id", "origin"]),
    ],
    [
      "a column left out",
      ["--key", "id", "--ignore", "delay"],
      ({ rows }) => expect(rows).toMatchObject({ changed: 0, equal: 299, added: 1, removed: 1 }),
    ],
    [
      "a tolerance",
      ["--key", "id", "--tolerance", "delay=abs:10", "--tolerance", "origin=trim,case"],
      ({ rows, columns }) => {
        expect(rows.changed).toBe(0);
        expect(columns.map(({ rule }) => rule)).toEqual([null, "trim,case", "abs:10"]);
      },
    ],
    [
      "a predicate",
      ["--key", "id", "--where", "id < 10"],
      ({ rows }) => expect(rows.left).toBe(10),
    ],
    [
      "fewer samples",
      ["--key", "id", "--samples", "2"],
      ({ samples }) => expect(samples.changed).toHaveLength(2),
    ],
    ["no causes", ["--key", "id", "--no-causes"], ({ causes }) => expect(causes).toEqual([])],
    [
      "an end after so many differences",
      ["--key", "id", "--stop-after", "5"],
      ({ complete, note, rows }) => {
        expect(complete).toBe(false);
        expect(note).toContain("5 are enough");
        expect(rows.left).toBeLessThan(300);
      },
    ],
    [
      "a budget that is enough",
      ["--key", "id", "--budget", "1m"],
      ({ complete }) => expect(complete).toBe(true),
    ],
  ];
  test.each(cases)("%s", async (_name, flags, check) => {
    const found = await summary(["old.parquet", "now.parquet", ...flags]);
    expect(found.identical).toBe(false);
    check(found);
  });

  test("what was cut short says so where people look first", async () => {
    const ran = await penstock([
      "diff",
      "old.parquet",
      "now.parquet",
      "--key",
      "id",
      "--stop-after",
      "5",
    ]);
    expect(ran.stdout).toContain("different, as far as was looked");
    expect(ran.stdout).toMatch(/! Cut short: .*5 are/);
    expect(ran.code).toBe(1);
  });
});

describe("what cannot be compared is one problem, nothing on stdout, exit code 2", () => {
  const cases: [string, string[], RegExp][] = [
    [
      "no such file",
      ["old.csv", "nope.csv"],
      /nope.csv is no file \(there is none at .*\/nope.csv\)/,
    ],
    ["a file of no known kind", ["old.csv", "odd.bin"], /does not say what is in it.\n.*\.parquet/],
    ["no second side", ["old.csv"], /old.csv is one side/],
    ["a key one side lacks", ["old.csv", "now.csv", "--key", "nope"], /nope/],
    ["a rule that is none", ["old.csv", "now.csv", "--tolerance", "delay=near"], /is not a rule/],
    ["a predicate that is none", ["old.csv", "now.csv", "--where", "id <"], /cannot be used/],
    ["a time that is none", ["old.csv", "now.csv", "--budget", "soon"], /Give a time/],
    [
      "rows in a kind of file that is none",
      ["old.csv", "now.csv", "--rows-out", "x.xlsx"],
      /ends in .parquet or .csv/,
    ],
    ["a format that is none", ["old.csv", "now.csv", "--format", "pdf"], /Allowed choices/],
    [
      "a flag of the short form",
      ["old.csv", "now.csv", "--before", "working"],
      /--before is for one/,
    ],
    ["a flag of two sides", ["delays", "--where", "true"], /--where needs two sides/],
    ["a table that is not there", ["old.csv", "now.duckdb#t"], /it has: s\.t/],
    [
      "a folder that is not there",
      ["old.csv", "now.csv", "--out", "no/such/x.txt"],
      /cannot be written/,
    ],
  ];
  test.each(cases)("%s", async (_name, arguments_, said) => {
    writeFileSync(join(folder, "odd.bin"), "x");
    const { code, stdout, stderr } = await penstock(["diff", ...arguments_]);
    expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

test("names and values cannot drive the terminal", async () => {
  const name = 'v | `x` <b>"\u001b[31m';
  const rows = (value: string) => `${JSON.stringify({ id: 1, [name]: value })}\n`;
  writeFileSync(join(folder, "evil.jsonl"), rows("a\u001b[2Jb\nc\u202ed"));
  writeFileSync(join(folder, "\u001b[31mred.jsonl"), rows("plain"));
  const ran = await penstock(["diff", "evil.jsonl", "\u001b[31mred.jsonl", "--key", "id"]);
  expect(ran.stdout).toContain("a\\x1b[2Jb\\nc\\u202ed → plain");
  expect(ran.stdout).toContain("\\x1b[31mred.jsonl");
  const missing = await penstock(["diff", "evil.jsonl", "\u001b[31mnone.csv"]);
  for (const text of [ran.stdout, ran.stderr, missing.stderr])
    expect(text).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
});

describe("in a workspace", () => {
  let hash: string;
  beforeAll(async () => {
    await penstock(["freeze", "trips", "--label", "one"], tiny.dir);
    cpSync(join(tiny.dir, "data/trips.csv"), join(tiny.dir, "mine.csv"));
    edit(tiny.dir, "mine.csv", "\n7,Rome,49", "\n7,Rome,48");
    edit(tiny.dir, "notebooks/slow.ts", "> 30", "> 40");
    mkdirSync(join(tiny.dir, "sub"));
    hash =
      (
        JSON.parse((await penstock(["status", "--json"], tiny.dir)).stdout) as {
          snapshots: { hash: string }[];
        }
      ).snapshots[0]?.hash ?? "";
  });

  const counted: [string, () => string[], Partial<DiffSummary>, object][] = [
    [
      "a snapshot against a file, by the snapshot's identity",
      () => ["trips@one", "mine.csv"],
      { keys: ["id"] },
      { equal: 199, changed: 1 },
    ],
    [
      "an output by the beginning of its hash",
      () => [hash.slice(0, 8), "trips@one"],
      { identical: true, byPosition: true },
      { equal: 200 },
    ],
    [
      "a transform at a revision against the file as it is, by position",
      () => ["slow.ts#slow@HEAD", "slow.ts#slow"],
      { keys: [], byPosition: true },
      { changed: 22, added: 0, removed: 0 },
    ],
    [
      "a table that a notebook names",
      () => ["slow.ts#trips", "trips@one"],
      { identical: true, byPosition: true },
      { equal: 200 },
    ],
    [
      "a transform against the snapshot it reads",
      () => ["trips@one", "notebooks/slow.ts#slow"],
      { byPosition: true },
      { removed: 66, equal: 134 },
    ],
  ];
  test.each(counted)("%s", async (_name, sides, expected, rows) => {
    const found = await summary(sides(), tiny.dir);
    expect(found).toMatchObject(expected);
    expect(found.rows).toMatchObject(rows);
  });

  test("paths are relative to where we are", async () => {
    const found = await summary(
      ["../notebooks/slow.ts#trips", "../mine.csv"],
      join(tiny.dir, "sub"),
    );
    expect(found.rows).toMatchObject({ equal: 199, changed: 1 });
  });

  test("what was found of two tables is found again, as it was; asked otherwise it is another", async () => {
    const asked = ["slow.ts#slow@HEAD", "slow.ts#slow"];
    const first = await summary(asked, tiny.dir);
    // Not counted anew: that would not take the very same time.
    expect(await summary(asked, tiny.dir)).toEqual(first);
    const ignoring = await summary([...asked, "--ignore", "isSlow"], tiny.dir);
    expect(ignoring.columns.find(({ name }) => name === "isSlow")?.status).toBe("ignored");
  });

  test("a cause in the snapshot's own columns is found", async () => {
    const ran = await penstock(["diff", "slow.ts#slow@HEAD", "slow.ts#slow"], tiny.dir);
    expect(ran.stdout).toMatch(
      /slow.ts#slow, last commit \([0-9a-f]{7}\) → slow.ts#slow, working copy/,
    );
    expect(ran.stdout).toMatch(/minutes from 31 to 40 {2}22 of 22/);
  });

  test("what means nothing is told what there is", async () => {
    const ran = await penstock(["diff", "trips@two", "mine.csv"], tiny.dir);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("trips@two is no file");
    expect(ran.stderr).toContain("Snapshots: trips@one. Notebooks: slow.ts.");
    const revision = await penstock(["diff", "slow.ts#slow@nope", "slow.ts#slow"], tiny.dir);
    expect(revision.stderr).toContain('Git knows no commit "nope"');
    const name = await penstock(["diff", "slow.ts#nope", "slow.ts#slow"], tiny.dir);
    expect(name.stderr).toContain("The notebook defines no `nope`");
    const environment = await penstock(["diff", "staging:slow", "slow.ts#slow"], tiny.dir);
    expect(environment.stderr).toContain("No release of slow runs in staging yet");
  });

  test("a file and a snapshot of one name are told apart by ./", async () => {
    await penstock(["freeze", "trips", "--label", "x.csv"], tiny.dir);
    cpSync(join(tiny.dir, "mine.csv"), join(tiny.dir, "trips@x.csv"));
    const ran = await penstock(["diff", "trips@x.csv", "mine.csv"], tiny.dir);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(/may mean the file .*trips@x.csv, the snapshot trips@x.csv/);
    expect(await summary(["./trips@x.csv", "mine.csv"], tiny.dir)).toMatchObject({
      identical: true,
    });
  });

  test("the short form is what it was", async () => {
    const ran = await penstock(["diff", "slow", "--rows", "1", "--key", "id"], tiny.dir);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain("the outputs differ");
    expect(ran.stdout).toMatch(/~ .*isSlow: true → false/);
  });

  test("what an environment runs, by its release", async () => {
    await penstock(["release", "slow", "--message", "First"], tiny.dir);
    await penstock(["promote", "slow", "--to", "staging"], tiny.dir);
    const ran = await penstock(["diff", "staging:slow", "slow.ts#slow"], tiny.dir);
    expect(ran.stdout).toMatch(
      /^staging:slow \(release [0-9a-f]{6}\) → slow.ts#slow, working copy: identical\n/,
    );
    expect(ran.code).toBe(0);
  });
});
