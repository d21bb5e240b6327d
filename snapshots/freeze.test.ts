import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeze, removeSnapshot, type FreezeRequest } from "./freeze.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";
import { listSnapshots, readSnapshot } from "./workspace.ts";

const csv = [
  "code,city,delay",
  ...Array.from({ length: 5000 }, (_, i) => `A${i},City ${i % 7},${(i * 37) % 100}`),
].join("\n");
let here: TemporaryWorkspace;

beforeAll(() => {
  here = temporaryWorkspace({
    "data/airports.csv": csv,
    "data/lines.json": '{"a": 1, "b": ["x"]}\n{"a": 2, "b": []}\n',
    "sources/airports.yaml": "format: csv\npath: data/airports.csv\nidentity: [code]\n",
    "sources/numbered.yaml":
      "format: csv\npath: data/airports.csv\nrowNumber: id\nwhere: delay < 50 -- short ones\nidentity: [id]\n",
    "sources/lines.yaml": "format: json\npath: data/lines.json\n",
    "data/r[1].csv": "a\n2\n",
    "data/r1.csv": "a\n9\n",
    "data/b\\[1].csv": "a\n2\n",
    "sources/pattern.yaml": "format: csv\npath: data/r[1].csv\nwhere: a = 2\n",
    "sources/backslash.yaml": "format: csv\npath: data/b\\[1].csv\n",
    "sources/missing.yaml": "format: csv\npath: data/none.csv\n",
    "sources/outside.yaml": "format: csv\npath: ../../../etc/passwd\n",
    "sources/link.yaml": "format: csv\npath: data/link.csv\n",
    "sources/broken.yaml": "format: csv\npath: data/airports.csv\nwhere: nope = 1\n",
    "sources/escape.yaml":
      "format: csv\npath: data/airports.csv\nwhere: \"1=1) UNION ALL SELECT * FROM (SELECT * FROM read_csv('/etc/passwd')\"\n",
    "sources/two.yaml":
      'format: csv\npath: data/airports.csv\nwhere: "1=1); DROP TABLE out.main.data; SELECT (1=1"\n',
    "sources/keyless.yaml": "format: csv\npath: data/airports.csv\nidentity: [nope]\n",
    "sources/endless.yaml":
      "format: csv\npath: data/airports.csv\nwhere: (SELECT count(*) FROM range(100000000000)) > 0\n",
  });
  symlinkSync("/etc/passwd", join(here.workspace.root, "data/link.csv"));
});
afterAll(() => here.close());

const now = () => new Date("2026-11-21T08:00:00Z");

function ask(source: string, label: string, more: Partial<FreezeRequest> = {}) {
  return freeze({
    workspace: here.workspace,
    store: here.store,
    queries: here.queries,
    source,
    label,
    now,
    ...more,
  });
}

function leavings(): string[] {
  const temp = readdirSync(join(here.workspace.paths.store, "temp")).filter(
    (name) => !name.endsWith(".spill"),
  );
  return [
    ...temp,
    ...readdirSync(here.workspace.paths.snapshots).filter((name) => !name.endsWith(".yaml")),
  ];
}

test("a file with characters of a pattern in its name is read, and no other", async () => {
  const { snapshot } = unwrap(await ask("pattern", "one"));
  expect(snapshot.rows).toBe(1);
  expect(snapshot.query).toContain("'data/r[[]1].csv'");
  expect(await ask("backslash", "one")).toMatchObject({
    ok: false,
    problem: { code: "bad-file-name", at: { file: "sources/backslash.yaml" } },
  });
});

test("a snapshot says what it is, and is there to be read", async () => {
  const { snapshot, reused } = unwrap(await ask("airports", "one"));
  expect(reused).toBe(false);
  expect(snapshot).toMatchObject({
    name: "airports@one",
    rows: 5000,
    identity: ["code"],
    frozenAt: "2026-11-21T08:00:00.000Z",
    columns: [
      { name: "code", type: "VARCHAR", nullable: false },
      { name: "city", type: "VARCHAR", nullable: false },
      { name: "delay", type: "BIGINT", nullable: false },
    ],
    from: { path: "data/airports.csv", sizeBytes: csv.length },
  });
  expect(unwrap(readSnapshot(here.workspace, "airports@one"))).toEqual(snapshot);
  expect(here.store.tableInfo(snapshot.hash)).toMatchObject({ rows: 5000, hasLineage: false });
  expect(leavings()).toEqual([]);
});

test("the same thing again has the same hash and is there once", async () => {
  const first = unwrap(await ask("airports", "again")).snapshot;
  const files = readdirSync(join(here.workspace.paths.store, "tables")).length;
  const second = unwrap(await ask("airports", "again"));
  expect(second).toEqual({ snapshot: first, reused: true });
  const elsewhere = unwrap(await ask("airports", "elsewhere")).snapshot;
  expect(elsewhere.hash).toBe(first.hash);
  expect(readdirSync(join(here.workspace.paths.store, "tables")).length).toBe(files);
});

test("frozen is frozen: a name keeps meaning the rows it meant", async () => {
  unwrap(await ask("airports", "kept"));
  const before = readFileSync(join(here.workspace.paths.snapshots, "airports@kept.yaml"), "utf8");
  expect(await ask("airports", "kept", { sample: { fraction: 0.5, seed: 1 } })).toMatchObject({
    ok: false,
    problem: { code: "snapshot-exists", hint: expect.stringContaining("another label") },
  });
  expect(readFileSync(join(here.workspace.paths.snapshots, "airports@kept.yaml"), "utf8")).toBe(
    before,
  );
  unwrap(removeSnapshot(here.workspace, "airports@kept"));
  expect(readSnapshot(here.workspace, "airports@kept").ok).toBe(false);
});

test("a row's number is its place in the file, from 0, whatever the predicate", async () => {
  const { snapshot } = unwrap(await ask("numbered", "short"));
  expect(snapshot.columns[0]).toEqual({ name: "id", type: "BIGINT", nullable: false });
  const odd = unwrap(
    await here.queries.sql({
      sql: "SELECT count(*) AS n, count(*) FILTER (code <> 'A' || id) AS wrong, count(*) FILTER (delay >= 50) AS long FROM f",
      inputs: { f: snapshot.hash },
    }),
  );
  const expected = await here.table(
    `SELECT ${snapshot.rows}::BIGINT AS n, 0::BIGINT AS wrong, 0::BIGINT AS long`,
  );
  expect(odd.hash).toBe(expected.hash);
});

test("JSON lines keep their nested values", async () => {
  const { snapshot } = unwrap(await ask("lines", "one"));
  expect(snapshot.columns.map((column) => column.type)).toEqual(["BIGINT", "VARCHAR[]"]);
});

describe("a sample", () => {
  test("is the same for the same seed, about the asked size, and another for another seed", async () => {
    const one = unwrap(
      await ask("airports", "s1", { sample: { fraction: 0.2, seed: 7 } }),
    ).snapshot;
    const same = unwrap(
      await ask("airports", "s2", { sample: { fraction: 0.2, seed: 7 } }),
    ).snapshot;
    const other = unwrap(
      await ask("airports", "s3", { sample: { fraction: 0.2, seed: 8 } }),
    ).snapshot;
    expect(same.hash).toBe(one.hash);
    expect(other.hash).not.toBe(one.hash);
    for (const { rows } of [one, other]) expect(Math.abs(rows - 1000)).toBeLessThan(150);
    const both = "SELECT count(*) AS n FROM a SEMI JOIN b USING (code)";
    const shared = unwrap(
      await here.queries.sql({ sql: both, inputs: { a: one.hash, b: other.hash } }),
    );
    const window = unwrap(await here.queries.profile({ table: shared.hash }));
    // Two seeds are unrelated: they share a fifth of a fifth.
    expect(Math.abs(Number(window[0]?.max) - 200)).toBeLessThan(80);
  });

  test.each([0, 1.5, Number.NaN])("of %s is refused", async (fraction) => {
    expect(await ask("airports", "bad", { sample: { fraction, seed: 1 } })).toMatchObject({
      ok: false,
      problem: { code: "bad-sample" },
    });
  });
});

test.each([
  ["missing", "no-source-file"],
  ["outside", "source-outside"],
  ["link", "source-outside"],
  ["broken", "query-failed"],
  ["escape", "query-outside"],
  ["two", "query-not-select"],
  ["keyless", "no-identity-column"],
  ["nobody", "no-such-source"],
])("the source %s is refused: %s", async (source, code) => {
  const result = await ask(source, "x");
  expect(result).toMatchObject({ ok: false, problem: { code } });
  expect(readSnapshot(here.workspace, `${source}@x`).ok).toBe(false);
  expect(leavings()).toEqual([]);
});

test("a label that cannot be a file's name is refused", async () => {
  expect(await ask("airports", "../x")).toMatchObject({
    ok: false,
    problem: { code: "bad-label" },
  });
});

test("cancelled, it leaves nothing behind", async () => {
  const stop = new AbortController();
  const running = ask("endless", "never", { signal: stop.signal });
  await expect.poll(leavings).not.toEqual([]);
  stop.abort();
  expect(await running).toMatchObject({ ok: false, problem: { code: "cancelled" } });
  expect(leavings()).toEqual([]);
  expect(existsSync(join(here.workspace.paths.snapshots, "endless@never.yaml"))).toBe(false);
});

test("a manifest somebody broke is a problem with its line, and hides no other", () => {
  writeFileSync(
    join(here.workspace.paths.snapshots, "airports@bent.yaml"),
    "name: airports@bent\nrows: many\n",
  );
  const { snapshots, problems } = listSnapshots(here.workspace);
  expect(snapshots.length).toBeGreaterThan(0);
  expect(problems[0]).toMatchObject({
    code: "bad-file",
    at: { file: "snapshots/airports@bent.yaml" },
  });
});

describe("what would lose rows or their identity in silence", () => {
  const files = {
    "ragged.csv": "a,b\n1,2\n3,4\n5,6,7\n",
    "comments.csv": "# a note\na,b\n1,2\n#3,4\n",
    "numbered.csv": "id,b\n5,x\n6,y\n",
    "null.csv": "id,b\n5,x\n,y\n",
  };
  const put = (name: string, source = "") => {
    const path = (file: string) => join(here.workspace.root, file);
    for (const [file, text] of Object.entries(files)) writeFileSync(path(`data/${file}`), text);
    writeFileSync(path(`sources/${name}.yaml`), `format: csv\npath: data/${name}.csv\n${source}`);
  };

  test("a line of a CSV file that does not fit the others is a row all the same", async () => {
    put("ragged");
    expect(unwrap(await ask("ragged", "t")).snapshot.rows).toBe(3);
    put("comments");
    expect(unwrap(await ask("comments", "t")).snapshot.rows).toBe(3);
  });

  test("row numbers do not take the place of a column of their name", async () => {
    put("numbered", "rowNumber: ID\nidentity: [ID]\n");
    expect(await ask("numbered", "t")).toMatchObject({ problem: { code: "row-number-taken" } });
  });

  test("a row without identity is refused", async () => {
    put("null", "identity: [id]\n");
    expect(await ask("null", "t")).toMatchObject({ problem: { code: "identity-null" } });
  });

  test("a manifest that cannot be read is not written over", async () => {
    const path = join(here.workspace.paths.snapshots, "airports@torn.yaml");
    writeFileSync(path, "name: [");
    expect(await ask("airports", "torn")).toMatchObject({ ok: false });
    expect(readFileSync(path, "utf8")).toBe("name: [");
  });

  test("a file that changes while it is read is refused", async () => {
    const file = join(here.workspace.root, "data/growing.csv");
    writeFileSync(file, csv);
    writeFileSync(
      join(here.workspace.root, "sources/growing.yaml"),
      "format: csv\npath: data/growing.csv\n",
    );
    const asked = ask("growing", "t");
    appendFileSync(file, "\nA5000,City 1,7\n");
    expect(await asked).toMatchObject({ problem: { code: "source-changed" } });
    expect(existsSync(join(here.workspace.paths.snapshots, "growing@t.yaml"))).toBe(false);
  });
});
