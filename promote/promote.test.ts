import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { approve, signApproval } from "./approval.ts";
import { canonicalJson } from "./canonical-json.ts";
import { compareRows } from "./compare-details.ts";
import { compare, readComparison } from "./compare.ts";
import { withoutPipeline } from "./environment-edits.ts";
import { history } from "./history.ts";
import { initWorkspace } from "./init.ts";
import { openSigningKey, withPublicKey } from "./keys.ts";
import { plan } from "./plan.ts";
import { promote, rollback } from "./promote.ts";
import { listReleases, readRelease, type Release } from "./release-files.ts";
import { buildRelease } from "./release.ts";
import { openWorkbench, type Workbench } from "./workbench.ts";

// One story, told in order on one small workspace: each test stands on what the one before it did.

const folder = mkdtempSync(join(tmpdir(), "penstock-promote-"));
const root = join(folder, "workspace");
const notebook = (threshold: number) => `// %% [markdown]
// # Delays
// %%
import { snapshot, sql, transform, metric } from "penstock";
// %%
const flights = snapshot("flights@t");
// %%
const typical = sql\`select origin, median(delay) as typical from \${flights} group by origin order by origin\`;
// %%
export const delays = transform(flights, { lookup: { typical: typical.by("origin") } }, (f, { typical }) => {
  if (f.delay > 90) return null;
  return { ...f, late: f.delay > ${threshold}, known: typical(f.origin) !== undefined };
});
// %%
metric.mean("late share", delays, (row) => (row.late ? 1 : 0), { better: "lower" });
`;
const asAda = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
const write = (path: string, text: string) => {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), text);
};
const status = () =>
  execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" });

let workbench: Workbench;
let first: Release;
let second: Release;

beforeAll(async () => {
  unwrap(await initWorkspace({ dir: root, demo: false }));
  const rows = Array.from(
    { length: 200 },
    (_, id) => `${id},${(id * 37) % 101},${id % 2 ? "SFO" : "DEN"}`,
  );
  write("data/flights.csv", `id,delay,origin\n${rows.join("\n")}\n`);
  write(
    "sources/flights.yaml",
    "format: csv\npath: data/flights.csv\nidentity: [id]\ntopic: flights\n",
  );
  write("notebooks/delays.ts", notebook(15));
  workbench = unwrap(await openWorkbench(root, { withSync: true, holdLock: true }));
  const { workspace, store, queries, now } = workbench;
  unwrap(await freeze({ workspace, store, queries, source: "flights", label: "t", now }));
  unwrap(
    await workbench.git.commitFiles({
      files: {
        "sources/flights.yaml": readFileSync(join(root, "sources/flights.yaml"), "utf8"),
      },
      message: "Add the source",
    }),
  );
});

afterAll(async () => {
  await workbench.close();
  rmSync(folder, { recursive: true, force: true });
});

const build = (message: string) =>
  buildRelease({ workbench, notebook: "delays", transform: "delays", message });
const toEnvironment = (environment: string, release: Release) =>
  promote({ workbench, environment, transform: "delays", release: release.hash.slice(0, 8) });
const runs = () =>
  workbench.sync
    .status()
    .filter(({ state }) => state !== "stopped")
    .map(({ environment, release }) => `${environment} ${release}`)
    .toSorted((a, b) => (a < b ? -1 : 1));

describe("building", () => {
  test("commits the notebook and its snapshot's manifest, then the release with its evidence", async () => {
    first = unwrap(await build("Late from 15 minutes"));
    expect(first.evidence.facts.filter(({ status }) => status === "fail")).toEqual([]);
    expect(first.evidence.facts.map(({ id }) => id)).toEqual(
      expect.arrayContaining([
        "types",
        "input-contract",
        "records",
        "order",
        "same-bytes",
        "first@staging,production",
      ]),
    );
    expect(first.findings).toEqual([]);
    expect(first.manifest.output.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "id BIGINT",
      "delay BIGINT",
      "origin VARCHAR",
      "late BOOLEAN",
      "known BOOLEAN",
    ]);
    expect(status()).toBe("");
    const subjects = unwrap(await workbench.git.log({ limit: 2 })).map(({ subject }) => subject);
    expect(subjects).toEqual([`Release delays ${first.hash.slice(0, 6)}`, "Late from 15 minutes"]);
  });

  test("the same inputs give the same release, and no second commit", async () => {
    const head = await workbench.git.head();
    expect(unwrap(await build("again")).hash).toBe(first.hash);
    expect(await workbench.git.head()).toBe(head);
  });
});

describe("promoting", () => {
  test("staging takes it at once, by one commit, and the pipeline runs", async () => {
    const before = unwrap(await plan(workbench, "staging", first));
    expect(before).toMatchObject({ change: "new", before: null, topic: "flights" });
    expect(before.blocked).toBeUndefined();
    expect(
      before.yamlDiff.some(({ kind, text }) => kind === "added" && text.includes(first.hash)),
    ).toBe(true);
    const done = unwrap(await toEnvironment("staging", first));
    expect(done).toMatchObject({ changed: true, previous: null });
    expect(done.problem).toBeUndefined();
    expect(runs()).toEqual([`staging ${first.hash}`]);
    expect(status()).toBe("");
    expect(readFileSync(join(root, "environments/staging.yaml"), "utf8")).toMatch(
      /^# What runs in staging/,
    );
  });

  test("an environment that names no server for a sink is refused, in the plan as well, with what is missing", async () => {
    write("environments/kafka.yaml", "kind: servers\nkafka: { brokers: [localhost:1] }\n");
    const files = {
      "environments/kafka.yaml": readFileSync(join(root, "environments/kafka.yaml"), "utf8"),
    };
    unwrap(await workbench.git.commitFiles({ files, message: "Add an environment" }));
    const blocked = {
      code: "environment-invalid",
      message: expect.stringContaining("delays writes to a table, but no `cassandra` is named"),
    };
    expect(unwrap(await plan(workbench, "kafka", first))).toMatchObject({ blocked, sinks: [] });
    expect(await toEnvironment("kafka", first)).toMatchObject({ problem: blocked });
    execFileSync("git", [...asAda, "revert", "--no-edit", "HEAD"], { cwd: root });
  });

  test("promoting what runs already changes nothing", async () => {
    const head = await workbench.git.head();
    expect(unwrap(await toEnvironment("staging", first))).toMatchObject({
      changed: false,
      commit: null,
    });
    expect(await workbench.git.head()).toBe(head);
  });

  test("other topics are a change of their own, which a file that is being edited takes in, too", async () => {
    const source = readFileSync(join(root, "sources/flights.yaml"), "utf8");
    const file = "environments/staging.yaml";
    expect(unwrap(await plan(workbench, "staging", first)).change).toBe("none");
    write("sources/flights.yaml", source.replace("topic: flights", "topic: departures"));
    const before = unwrap(await plan(workbench, "staging", first));
    expect(before).toMatchObject({
      change: "topics",
      topicBefore: "flights",
      topic: "departures",
    });
    write(file, `# Mine\n${readFileSync(join(root, file), "utf8")}`);
    expect(unwrap(await toEnvironment("staging", first))).toMatchObject({
      changed: true,
      summary: `staging now asks for delays ${first.hash.slice(0, 6)} with topic departures.`,
    });
    const text = readFileSync(join(root, file), "utf8");
    expect(text).toMatch(/^# Mine/);
    expect(text).toContain("topic: departures");
    write("sources/flights.yaml", source);
    unwrap(await toEnvironment("staging", first));
    execFileSync("git", ["checkout", "--", file], { cwd: root });
    expect(status()).toBe("");
  });

  test("production refuses it without an approval, and says how to get one", async () => {
    const refused = await toEnvironment("production", first);
    expect(refused).toMatchObject({ ok: false, problem: { code: "approval-missing" } });
    expect(refused.ok ? "" : refused.problem.message).toContain("1 approval");
    expect(refused.ok ? "" : refused.problem.hint).toContain("Approve");
    expect(unwrap(await plan(workbench, "production", first)).blocked?.code).toBe(
      "approval-missing",
    );
  });

  test("an approval that is not committed does not count", async () => {
    const key = openSigningKey(join(folder, "keys"), "Eve");
    const statement = {
      format: 1 as const,
      release: first.hash,
      evidence: first.evidence.hash,
      by: "Eve",
      findings: [],
      reason: "Trust me.",
      at: "2026-11-21T00:00:00.000Z",
    };
    const approval = `${first.folder}/approvals/eve.json`;
    write("people/eve.pub", withPublicKey(undefined, "Eve", key.publicKey));
    write(approval, canonicalJson(signApproval(statement, key)));
    const refused = await toEnvironment("production", first);
    expect(refused).toMatchObject({ problem: { code: "approval-missing" } });
    expect(refused.ok ? "" : refused.problem.message).toContain("is not committed");
    // Eve's own process was killed before its commit: approving again makes it good.
    const release = unwrap(readRelease(workbench, "delays", first.hash));
    unwrap(await approve({ workbench, release, by: "Eve", findings: [], reason: "Again." }));
    expect(status()).toBe("");
    expect(unwrap(await plan(workbench, "production", release)).approvals.by).toEqual(["Eve"]);
    execFileSync("git", [...asAda, "revert", "--no-edit", "HEAD"], { cwd: root });
    expect(status()).toBe("");
  });

  test("an approval bound to its hash lets it in", async () => {
    const request = { workbench, release: first, by: "Ada", findings: [], reason: "As agreed." };
    unwrap(await approve(request));
    expect(status()).toBe("");
    first = unwrap(readRelease(workbench, "delays", first.hash));
    expect(first.approvals).toMatchObject([{ isValid: true, approval: { by: "Ada" } }]);
    expect(unwrap(await toEnvironment("production", first)).problem).toBeUndefined();
    expect(runs()).toEqual([`production ${first.hash}`, `staging ${first.hash}`]);
  });
});

describe("the next release", () => {
  test("is held against what runs: rows and outcomes that moved are findings", async () => {
    write("notebooks/delays.ts", notebook(10));
    second = unwrap(await build("Late from 10 minutes"));
    expect(second.hash).not.toBe(first.hash);
    expect(second.findings).toEqual([
      "difference@staging,production",
      "metrics@staging,production",
    ]);
    const fact = second.evidence.facts.find(({ id }) => id.startsWith("difference@"));
    expect(fact?.summary).toMatch(/\d+ changed; \d+ equal/);
    expect(unwrap(await plan(workbench, "production", second))).toMatchObject({
      change: "replace",
      before: first.hash,
      contract: { breaks: false, changes: [] },
      diff: { rows: { added: 0, removed: 0 } },
    });
  });

  test("an approval that leaves a finding out, or names one there is not, is refused", async () => {
    const request = { workbench, release: second, by: "Ada", reason: "Fine." };
    expect(await approve({ ...request, findings: [] })).toMatchObject({
      problem: { code: "findings-unjudged" },
    });
    const named = await approve({ ...request, findings: [...second.findings, "metrics@nowhere"] });
    expect(named).toMatchObject({ problem: { code: "finding-unknown" } });
    const told = named.ok ? "" : `${named.problem.message} ${named.problem.hint}`;
    expect(told).toContain("metrics@nowhere");
    for (const id of second.findings) expect(told).toContain(id);
    unwrap(await approve({ ...request, findings: second.findings }));
    second = unwrap(readRelease(workbench, "delays", second.hash));
    expect(unwrap(await toEnvironment("production", second))).toMatchObject({
      previous: first.hash,
    });
    expect(runs()).toContain(`production ${second.hash}`);
  });

  test("comparing twice gives one comparison with its rows", async () => {
    const request = {
      workbench,
      notebook: "delays",
      transform: "delays",
      before: {
        kind: "environment",
        name: "staging",
      },
      after: { kind: "working" },
    } as const;
    const compared = unwrap(await compare(request));
    expect(compared.summary.rows.changed).toBeGreaterThan(0);
    expect(compared.summary.rows.left).toBe(compared.before.written);
    expect(compared.metrics).toMatchObject([{ name: "late share", better: "lower" }]);
    const [metric] = compared.metrics;
    expect(metric?.after).toBeGreaterThan(metric?.before ?? 1);
    const again = unwrap(await compare(request));
    expect(again.id).toBe(compared.id);
    expect(readComparison(workbench, compared.id)?.summary).toEqual(compared.summary);
    const rows = unwrap(
      await compareRows({ workbench, comparison: compared, kind: "changed", offset: 0, limit: 5 }),
    );
    expect(rows.total).toBe(compared.summary.rows.changed);
    expect(rows.rows.length).toBe(5);
    expect(rows.rows[0]).toMatchObject({ kind: "changed", changed: ["late"] });
  });
});

describe("tampering", () => {
  test("names the file that is not what was released, and promotes nothing", async () => {
    const bundle = `${first.folder}/bundle.js`;
    const original = readFileSync(join(root, bundle), "utf8");
    write(bundle, `${original}// and one more thing\n`);
    const refused = await toEnvironment("production", first);
    expect(refused).toMatchObject({ problem: { code: "release-tampered", at: { file: bundle } } });
    expect((await listReleases(workbench)).filter(({ problem }) => problem).length).toBe(1);
    write(bundle, original);

    const evidence = `${first.folder}/evidence.json`;
    const facts = readFileSync(join(root, evidence), "utf8");
    write(evidence, facts.replace("200 read", "201 read"));
    expect(await toEnvironment("production", first)).toMatchObject({
      problem: { code: "release-tampered", at: { file: evidence } },
    });
    write(evidence, facts);
    expect(status()).toBe("");
  });

  test("an approval edited by hand counts no more", async () => {
    const [given] = second.approvals;
    const file = given?.file ?? "";
    const original = readFileSync(join(root, file), "utf8");
    write(file, original.replace("Fine.", "Splendid."));
    expect(unwrap(readRelease(workbench, "delays", second.hash)).approvals).toMatchObject([
      { isValid: false, reason: expect.stringContaining("signature") },
    ]);
    write(file, original);
  });
});

describe("rolling back", () => {
  test("returns to what ran before by a new commit, and history tells the whole way", async () => {
    const back = unwrap(
      await rollback({ workbench, environment: "production", transform: "delays" }),
    );
    expect(back).toMatchObject({ release: first.hash, previous: second.hash, changed: true });
    expect(runs()).toContain(`production ${first.hash}`);
    const entries = unwrap(
      await history({ workbench, environment: "production", transform: "delays" }),
    );
    expect(entries.map(({ release, kind, approvedBy }) => [release, kind, approvedBy])).toEqual([
      [first.hash, "rolled back", ["Ada"]],
      [second.hash, "promoted", ["Ada"]],
      [first.hash, "promoted", ["Ada"]],
    ]);
    expect(entries[0]?.until).toBeNull();
    const audit = workbench.state.auditRows({ environment: "production", limit: 10 });
    expect(audit.map(({ action }) => action)).toEqual(["rollback", "promote", "promote"]);
  });

  test("staging has nothing before its first release", async () => {
    expect(
      await rollback({ workbench, environment: "staging", transform: "delays" }),
    ).toMatchObject({ problem: { code: "nothing-before" } });
  });
});

describe("a commit made by hand", () => {
  test("is followed: what the last commit says is what runs", async () => {
    const file = join(root, "environments/staging.yaml");
    const before = readFileSync(file, "utf8");
    writeFileSync(file, withoutPipeline(before, "delays"));
    expect(runs()).toContain(`staging ${first.hash}`);
    execFileSync("git", [...asAda, "commit", "-qam", "Nothing in staging"], { cwd: root });
    await expect.poll(runs).not.toContain(`staging ${first.hash}`);
    execFileSync("git", [...asAda, "revert", "--no-edit", "HEAD"], { cwd: root });
    await expect.poll(runs).toContain(`staging ${first.hash}`);
  });
});

describe("an environment's file edited by hand", () => {
  const commit = (text: string, message: string) => {
    write("environments/production.yaml", text);
    execFileSync("git", [...asAda, "commit", "-qam", message], { cwd: root });
  };

  test("lets in no release without its approvals, nor one that does not exist; what runs goes on", async () => {
    write("notebooks/delays.ts", notebook(20));
    const third = unwrap(await build("Late from 20 minutes"));
    const before = readFileSync(join(root, "environments/production.yaml"), "utf8");
    commit(
      before.replace(first.hash, third.hash).replace(/approvals: \d/, "approvals: 0"),
      "By hand",
    );
    const { refused } = await workbench.reconcile();
    expect(refused).toMatchObject([
      { environment: "production", release: third.hash, problem: { code: "approval-missing" } },
    ]);
    expect(runs()).toContain(`production ${first.hash}`);
    commit(before.replace(first.hash, "f".repeat(64)), "Unknown");
    expect((await workbench.reconcile()).refused).toMatchObject([
      { environment: "production", problem: { code: "release-unknown" } },
    ]);
    expect(runs()).toContain(`production ${first.hash}`);
    for (const broken of [`${before}\n: [`, before.replace(first.hash, "0".repeat(64))]) {
      commit(broken, "Malformed");
      expect((await workbench.reconcile()).refused).toMatchObject([
        { environment: "production", name: "delays", problem: { code: "environment-invalid" } },
      ]);
      expect(runs()).toContain(`production ${first.hash}`);
    }
    commit(before, "Back");
    expect((await workbench.reconcile()).refused).toEqual([]);
  });

  test("two promotions at once both find their place, and comments stay", async () => {
    const before = readFileSync(join(root, "environments/staging.yaml"), "utf8");
    const both = await Promise.all([
      toEnvironment("staging", second),
      toEnvironment("staging", first),
    ]);
    expect(both.map(({ ok }) => ok)).toEqual([true, true]);
    const text = readFileSync(join(root, "environments/staging.yaml"), "utf8");
    expect(text.split("\n")[0]).toBe(before.split("\n")[0]);
    expect(status()).toBe("");
    unwrap(await toEnvironment("staging", first));
    expect(runs()).toContain(`staging ${first.hash}`);
  });
});

describe("a workbench opened again", () => {
  test("a worker runs nothing of an environment that has become files, which belong to who holds the workspace", async () => {
    const before = runs();
    const options = { withSync: true, holdLock: false, only: "staging" };
    const worker = unwrap(await openWorkbench(root, options));
    expect([worker.sync.running(), worker.refusals()]).toEqual([[], []]);
    await worker.close();
    expect([before.length > 0, runs()]).toEqual([true, before]);
  });

  test("a second one is refused while the first holds the workspace; then everything still runs", async () => {
    expect(await openWorkbench(root, { withSync: false, holdLock: true })).toMatchObject({
      problem: { code: "workspace-held" },
    });
    await workbench.close();
    workbench = unwrap(await openWorkbench(root, { withSync: true, holdLock: true }));
    expect(workbench.refusals()).toEqual([]);
    expect(runs()).toEqual([`production ${first.hash}`, `staging ${first.hash}`]);
  });
});
