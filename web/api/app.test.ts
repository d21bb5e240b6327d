import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  insertDeadLetters,
  type DeadLetter,
  type Stage,
} from "#promote/sync/dead-letters/dead-letters.ts";
import { openSyncState } from "#promote/sync/state.ts";
import { openWorkbench, type Workbench } from "#promote/workbench.ts";
import { arrowToRows } from "#snapshots/arrow.ts";
import { unwrap, type Problem } from "#snapshots/problem.ts";
import type { DiffRow } from "#snapshots/diff.ts";
import { createApi, type Api as App } from "./app.ts";
import { edit, namesIn, tinyWorkspace } from "./tiny-workspace.ts";

let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;
let workbench: Workbench;
let app: App;

beforeAll(async () => {
  tiny = await tinyWorkspace();
  workbench = unwrap(await openWorkbench(tiny.dir, { withSync: true, holdLock: true }));
  app = createApi(workbench);
});

afterAll(async () => {
  await workbench.close();
  tiny.remove();
});

type Answer = { status: number; body: Record<string, unknown> & { problem?: Problem } };

async function get(path: string): Promise<Answer> {
  const response = await app.request(`/api${path}`);
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

async function send(path: string, json: unknown, method = "POST"): Promise<Answer> {
  const response = await post(path, json, method);
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

async function post(path: string, json: unknown, method = "POST"): Promise<Response> {
  return app.request(`/api${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(json),
  });
}

type Event = { type: string; value?: Record<string, unknown>; problem?: Problem };

/** The last line of a stream of long work. */
async function outcome(path: string, json: unknown): Promise<Event> {
  const text = await (await post(path, json)).text();
  const lines = text.split("\n").filter(Boolean);
  return JSON.parse(lines.at(-1) ?? "null") as Event;
}

test("the workspace says its name and who works in it", async () => {
  const { body } = await get("/workspace");
  expect(body).toMatchObject({ name: "tiny", root: workbench.workspace.root, problems: [] });
  expect((await get("/sources")).body).toMatchObject({
    sources: [{ name: "trips", identity: ["id"] }],
  });
});

describe("at the door", () => {
  const cases: [string, () => Promise<Answer>, number, string][] = [
    ["an address nobody serves", () => get("/nothing"), 404, "no-such-route"],
    ["a table hash that is none", () => get("/tables/xyz"), 400, "bad-request"],
    ["a table that is not kept", () => get(`/tables/${"0".repeat(64)}`), 404, "table-not-found"],
    ["a snapshot that is not there", () => get("/snapshots/trips@nope"), 404, "no-such-snapshot"],
    [
      "a name that leaves its folder",
      () => get(`/snapshots/${encodeURIComponent("../../etc/passwd")}`),
      400,
      "bad-request",
    ],
    [
      "a body without what it needs",
      () => send("/snapshots", { source: "trips" }),
      400,
      "bad-request",
    ],
    [
      "a body with more than it knows",
      () => send("/snapshots", { source: "trips", label: "x", extra: 1 }),
      400,
      "bad-request",
    ],
    [
      "a sample of nothing",
      () => send("/snapshots", { source: "trips", label: "x", sample: { fraction: 0, seed: 1 } }),
      400,
      "bad-request",
    ],
    [
      "a notebook that would be a path",
      () => send("/notebooks", { name: "../x" }),
      400,
      "bad-request",
    ],
    [
      "a run of a notebook that is not there",
      () => send("/notebooks/nope/run", {}),
      404,
      "notebook-not-found",
    ],
    ["a comparison nobody made", () => get("/compare/abc123/rows"), 404, "comparison-not-found"],
    ["a release nobody built", () => get("/releases/slow/abcdef"), 404, "release-unknown"],
    [
      "an environment that is none",
      () => send("/environments/moon/promote", { transform: "slow", release: "abcdef" }),
      404,
      "release-unknown",
    ],
    [
      "a pipeline that does not run",
      () => send("/pipelines/staging/slow/pause", {}),
      404,
      "pipeline-not-running",
    ],
  ];
  test.each(cases)("%s is a problem with its status", async (_name, ask, status, code) => {
    const answer = await ask();
    expect(answer.body.problem).toMatchObject({ code });
    expect(answer.status).toBe(status);
  });

  test("text that is not JSON, and a body without end, are refused", async () => {
    const headers = { "content-type": "application/json" };
    const broken = await app.request("/api/snapshots", { method: "POST", headers, body: "{" });
    expect(broken.status).toBe(400);
    const body = JSON.stringify({ name: "x".repeat(5_000_000) });
    const large = await app.request("/api/notebooks", { method: "POST", headers, body });
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ problem: { code: "body-too-large" } });
  });
});

test("freezing twice gives the same hash and one copy; a page then reads the rows it shows", async () => {
  const first = await outcome("/snapshots", { source: "trips", label: "one" });
  expect(first).toMatchObject({
    type: "done",
    value: { reused: false, snapshot: { name: "trips@one", rows: 200 } },
  });
  const second = await outcome("/snapshots", { source: "trips", label: "one" });
  expect(second).toMatchObject({ type: "done", value: { reused: true } });
  const hash = String((first.value?.["snapshot"] as { hash: string } | undefined)?.hash);
  expect((await get(`/tables/${hash}`)).body).toMatchObject({ hash, rows: 200 });

  const window = await app.request(
    `/api/tables/${hash}/rows?offset=3&limit=2&columns=city,minutes`,
  );
  expect(window.headers.get("x-penstock-total")).toBe("200");
  expect(window.headers.get("content-type")).toBe("application/vnd.apache.arrow.stream");
  expect(arrowToRows(new Uint8Array(await window.arrayBuffer()))).toEqual([
    { city: "Oslo", minutes: 21 },
    { city: "Rome", minutes: 28 },
  ]);

  const sorted = await app.request(
    `/api/tables/${hash}/rows?limit=1&columns=minutes&sort=minutes&descending=true`,
  );
  expect(arrowToRows(new Uint8Array(await sorted.arrayBuffer()))).toEqual([{ minutes: 59 }]);
  expect((await get(`/tables/${hash}/rows?sort=nope`)).body.problem?.hint).toContain("minutes");

  const profile = await get(`/tables/${hash}/profile?columns=city`);
  expect(profile.body).toMatchObject({ columns: [{ name: "city", nulls: 0 }] });
});

test("a freeze that fails says so at the end of its stream and leaves nothing", async () => {
  const before = namesIn(tiny.dir, "snapshots");
  const failed = await outcome("/snapshots", { source: "nope", label: "x" });
  expect(failed).toMatchObject({ type: "failed", problem: { code: "no-such-source" } });
  expect(namesIn(tiny.dir, "snapshots")).toEqual(before);
});

test("a new notebook is made once and lists its transforms", async () => {
  const made = await send("/notebooks", { name: "fresh", snapshot: "trips@one" });
  expect(made).toMatchObject({ status: 201, body: { path: "notebooks/fresh.ts" } });
  expect(await send("/notebooks", { name: "fresh" })).toMatchObject({ status: 409 });
  expect((await get("/notebooks")).body).toMatchObject({
    notebooks: [
      { name: "fresh", transforms: ["output"] },
      { name: "slow", transforms: ["slow"], isOpen: false },
    ],
  });
});

test("a snapshot that a notebook reads is not deleted; another one is", async () => {
  const used = await send("/snapshots/trips@one", undefined, "DELETE");
  expect(used.status).toBe(409);
  expect(used.body.problem?.message).toContain("notebook slow");
  await outcome("/snapshots", { source: "trips", label: "spare" });
  expect(await send("/snapshots/trips@spare", undefined, "DELETE")).toMatchObject({ status: 200 });
  expect(namesIn(tiny.dir, "snapshots")).toEqual(["trips@one.yaml"]);
});

test("a notebook runs from top to bottom over the API", async () => {
  const ran = await outcome("/notebooks/slow/run", {});
  const cells = ran.value?.["cells"] as { status: string; outputs: unknown[] }[];
  expect(cells.map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok"]);
  const outputs = cells.flatMap((cell) => cell.outputs);
  expect(outputs).toContainEqual(
    expect.objectContaining({ kind: "table", name: "slow", rows: 134, read: 200, filtered: 66 }),
  );
  expect(outputs).toContainEqual(expect.objectContaining({ kind: "metric", name: "slow share" }));
});

test("a change is compared, released, promoted, approved, promoted again and rolled back", async () => {
  const chosen = { notebook: "slow", transform: "slow" };
  const versions = { before: { kind: "git", revision: "HEAD" }, after: { kind: "working" } };
  expect(await outcome("/compare", { ...chosen, ...versions })).toMatchObject({
    type: "done",
    value: { summary: { identical: true } },
  });

  const first = await outcome("/releases", { ...chosen, message: "First" });
  expect(first).toMatchObject({ type: "done", value: { transform: "slow", approvals: [] } });
  expect(first.value).not.toHaveProperty("bundle");
  const one = first.value?.["hash"] as string;
  const promoted = await send("/environments/staging/promote", { transform: "slow", release: one });
  expect(promoted.body).toMatchObject({ changed: true, release: one, previous: null });

  const refused = await send("/environments/production/promote", {
    transform: "slow",
    release: one,
  });
  expect(refused).toMatchObject({ status: 409, body: { problem: { code: "approval-missing" } } });
  const detail = await get(`/releases/slow/${one.slice(0, 8)}`);
  expect(detail.body).toMatchObject({
    release: { hash: one },
    sourceDiff: { against: { environment: "staging" } },
    plans: [
      { environment: "staging", change: "none" },
      { environment: "production", change: "new", blocked: { code: "approval-missing" } },
    ],
  });
  const findings = (detail.body["release"] as { findings: string[] }).findings;
  const approval = await send(`/releases/slow/${one}/approvals`, { findings, reason: "Good" });
  expect(approval).toMatchObject({
    status: 201,
    body: { approval: { release: one, reason: "Good" } },
  });
  expect(
    await send("/environments/production/promote", { transform: "slow", release: one }),
  ).toMatchObject({ status: 200 });

  edit(tiny.dir, "notebooks/slow.ts", "> 30", "> 40");
  const compared = await outcome("/compare", { ...chosen, ...versions });
  const summary = compared.value?.["summary"] as { rows: { changed: number } };
  expect(summary.rows.changed).toBeGreaterThan(0);
  const id = compared.value?.["id"] as string;
  expect((await get(`/compare/${id}`)).body).toMatchObject({ id });
  const rows = await get(`/compare/${id}/rows?kind=changed&column=isSlow&limit=3`);
  expect(rows.body["rows"]).toHaveLength(3);
  expect(rows.body["total"]).toBe(summary.rows.changed);
  const found = await get(`/compare/${id}/causes`);
  expect(found.body).toMatchObject({ search: { complete: true } });
  const [cause] = found.body["causes"] as { name: string; covered: number; scope: object }[];
  const covered = await get(`/compare/${id}/rows?cause=${cause?.name}&limit=0`);
  expect(covered.body).toEqual({ rows: [], total: cause?.covered });
  expect(await get(`/compare/${id}/rows?cause=none`)).toMatchObject({
    body: { problem: { code: "cause-unknown" } },
  });
  const atMost = encodeURIComponent('[{"column":"minutes","test":"atMost","value":"0"}]');
  expect((await get(`/compare/${id}/rows?values=${atMost}`)).body["total"]).toBe(0);
  expect((await get(`/compare/${id}/rows?values=minutes`)).status).toBe(400);
  expect((await get(`/compare/${id}/profile?column=isSlow`)).body).toMatchObject({
    name: "isSlow",
    left: { nulls: 0 },
    right: { nulls: 0 },
  });
  expect((await get(`/compare/${id}/place`)).body["place"]).toMatchObject({
    file: "notebooks/slow.ts",
    line: 6,
    cell: 3,
    cellLine: 1,
  });
  expect((await get("/compare?limit=1")).body).toMatchObject({ comparisons: [{ id }] });

  const [row] = (await get(`/compare/${id}/rows?limit=1`)).body["rows"] as DiffRow[];
  const about = { difference: row?.difference, kind: row?.kind, key: row?.key };
  const said = { text: "Why?", isIntended: false };
  const remark = await send(`/compare/${id}/remarks`, { ...about, ...said });
  expect(remark.body).toMatchObject({ text: "Why?", differences: 1, same: 1 });
  const mute = { ...about, text: " ", isIntended: false };
  expect((await send(`/compare/${id}/remarks`, mute)).status).toBe(400);
  const all = await send(`/compare/${id}/remarks`, {
    cause: cause?.name,
    text: "",
    isIntended: true,
  });
  expect(all.body).toMatchObject({ isIntended: true, differences: covered.body["total"] });
  expect((await send(`/compare/${id}/reviews`, { note: "fine" })).body).toMatchObject({
    note: "fine",
  });
  const state = (await get(`/compare/${id}/review`)).body;
  expect(state).toMatchObject({
    since: null,
    intended: covered.body["total"],
    reviews: [{ note: "fine" }],
  });
  const intended = await get(`/compare/${id}/rows?review=intended&limit=0`);
  expect(intended.body["total"]).toBe(covered.body["total"]);
  expect((await get(`/compare/${id}/rows?review=new`)).body.problem).toMatchObject({
    code: "not-reviewed",
  });
  const itself = await get(`/compare/${id}/review?since=${id}`);
  expect(itself.body["since"]).toMatchObject({ new: 0, otherwise: 0, gone: 0 });
  const file = async (path: string) => {
    const response = await app.request(`/api/compare/${id}/${path}`);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const markdown = await file("report?format=markdown");
  expect(markdown.text).toMatch(/\| slow share \|.*(improved|worse|cannot tell)/);
  expect(markdown.text).toContain("Reviewed by");
  const page = await file("report?format=html");
  expect(page.headers.get("content-disposition")).toContain(`slow-${id.slice(0, 8)}.html`);
  expect(page.text).toContain("<h2>Outcomes</h2>");
  const csv = await file("export?format=csv");
  expect(csv.text.trim().split("\n")).toHaveLength(Number(csv.headers.get("x-rows")) + 1);
  expect(Number(csv.headers.get("x-rows"))).toBe(summary.rows.changed);
  expect((await file("export?format=xlsx")).status).toBe(400);
  const remarkAddress = `/compare/${id}/remarks/${Number(remark.body["id"])}`;
  expect((await app.request(`/api${remarkAddress}`, { method: "DELETE" })).status).toBe(200);
  const history = await get(
    `/compare/history?notebook=${chosen.notebook}&transform=${chosen.transform}`,
  );
  expect(history.body).toMatchObject({
    comparisons: [
      { id, remarks: 1, reviews: [{ note: "fine" }] },
      { remarks: 0, reviews: [] },
    ],
  });

  const second = await outcome("/releases", { ...chosen, message: "Second" });
  const two = second.value?.["hash"] as string;
  await send("/environments/staging/promote", { transform: "slow", release: two });
  const ownFile = join(tiny.dir, "environments/staging.yaml");
  const committed = readFileSync(ownFile, "utf8");
  for (const halfEdited of [`${committed}\nkafka: {brokers: [`, "staging"]) {
    writeFileSync(ownFile, halfEdited);
    expect(await send("/environments/use", { to: "embedded" })).toMatchObject({
      status: 422,
      body: {
        problem: {
          code: "environment-unmovable",
          message: expect.stringContaining("environments/staging.yaml") as string,
        },
      },
    });
  }
  writeFileSync(ownFile, committed);
  const back = await send("/environments/staging/rollback", { transform: "slow" });
  expect(back.body).toMatchObject({ changed: true, release: one, previous: two });
  expect((await get("/environments/staging/slow/history")).body).toMatchObject({
    history: [{ release: one, kind: "rolled back" }, { release: two }, { release: one }],
  });

  const { body } = await get("/pipelines");
  expect(body).toMatchObject({ refused: [] });
  expect(body["pipelines"]).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ environment: "staging", release: one }),
      expect.objectContaining({ environment: "production", release: one }),
    ]),
  );
  expect((await get("/pipelines/staging/slow/dead-letters")).body).toMatchObject({
    total: 0,
    letters: [],
  });
  expect((await get("/status")).body).toMatchObject({ pid: process.pid, name: "tiny" });
});

describe("dead letters", () => {
  const id = { environment: "staging", name: "gone" };
  const at = "/pipelines/staging/gone/dead-letters";
  const place = { topic: "trips", incarnation: "a", partition: 0 };
  const value = new Uint8Array(100_000).fill(0xff);
  const letter = (offset: number, stage: Stage, more: Partial<DeadLetter> = {}): DeadLetter => ({
    ...place,
    offset,
    stage,
    reason: `row ${offset} is too large`,
    release: "r1",
    key: Buffer.from("Köln"),
    value,
    headers: [{ key: "trace", value: new Uint8Array([0xff, 0x01]) }],
    timestampMs: 0,
    at: `2026-11-25T10:00:0${offset}.000Z`,
    ...more,
  });
  const addressOf = ({ topic, incarnation, partition, offset, stage }: DeadLetter): string =>
    String(
      new URLSearchParams({
        topic,
        incarnation,
        stage,
        partition: String(partition),
        offset: String(offset),
      }),
    );
  const groups = async (shelf = "open") => (await get(`${at}/groups?shelf=${shelf}`)).body;

  beforeAll(() => {
    const state = openSyncState(workbench.workspace.paths.state);
    const both = [letter(1, "sink:table"), letter(1, "sink:search")];
    insertDeadLetters(state, id, [...both, letter(2, "sink:table"), letter(3, "sink:table")]);
    state.close();
  });

  test("a list is small however large the records, and each byte of one is there to be fetched", async () => {
    const list = await app.request(`/api${at}?limit=1000`);
    const text = await list.text();
    expect(text.length).toBeLessThan(8_000);
    expect(JSON.parse(text)).toMatchObject({
      total: 4,
      letters: [
        {
          offset: 3,
          key: { encoding: "utf-8", text: "Köln", sizeBytes: 5, isCut: false },
          value: { encoding: "base64", sizeBytes: 100_000, isCut: true },
        },
        { offset: 2 },
        { offset: 1 },
        { offset: 1 },
      ],
    });
    const opened = await get(`${at}/letter?${addressOf(letter(3, "sink:table"))}`);
    expect(opened.body).toMatchObject({
      letter: {
        value: { text: Buffer.from(value).toString("base64"), isCut: false },
        headers: [{ key: "trace", value: { encoding: "base64", text: "/wE=" } }],
      },
    });
    const file = await app.request(`/api${at}/letter/value?${addressOf(letter(3, "sink:table"))}`);
    expect(Buffer.from(await file.arrayBuffer()).equals(value)).toBe(true);
    expect(file.headers.get("content-disposition")).toBe('attachment; filename="trips-0-3.value"');
    const key = await app.request(`/api${at}/letter/key?${addressOf(letter(3, "sink:table"))}`);
    expect(await key.text()).toBe("Köln");
  });

  test("of a record that two sinks refused, the letter that is asked for is opened", async () => {
    for (const stage of ["sink:table", "sink:search"] as const) {
      const { body } = await get(`${at}/letter?${addressOf(letter(1, stage))}`);
      expect(body).toMatchObject({ letter: { stage, others: [{}] } });
    }
    expect((await get(`${at}/letter?${addressOf(letter(1, "decode"))}`)).body.problem?.code).toBe(
      "dead-letter-not-found",
    );
    expect((await get(`${at}/letter?topic=trips&offset=1&stage=read`)).status).toBe(400);
  });

  test("a group or a letter is dismissed, put back, and who did it is on record", async () => {
    const [group] = (await groups())["groups"] as { id: string; count: number }[];
    expect(group?.count).toBe(3);
    const seen = { group: group?.id, until: "2026-11-25T10:00:02.000Z" };
    expect((await send(`${at}/dismiss`, { letters: seen })).body).toEqual({ dismissed: 2 });
    expect(await groups()).toMatchObject({ total: 2, dismissed: 2 });
    expect(await groups("dismissed")).toMatchObject({ total: 2, groups: [{ count: 2 }] });
    const one = { ...place, offset: 1, stage: "sink:table" };
    expect((await send(`${at}/restore`, { letters: [one] })).body).toEqual({ restored: 1 });
    const again = await send(`${at}/restore`, { letters: [one] });
    expect(again.body.problem?.code).toBe("nothing-to-restore");
    expect(await groups()).toMatchObject({ total: 3, dismissed: 1 });
    const { body } = await get(`${at}/letter?${addressOf(letter(2, "sink:table"))}`);
    expect(body).toMatchObject({ letter: { dismissal: { by: workbench.person } } });
    const acts = workbench.state.auditRows({ environment: "staging", transform: "gone", limit: 9 });
    expect(acts).toMatchObject([
      { action: "restore", by: workbench.person, details: { letters: 1, places: [one] } },
      { action: "dismiss", by: workbench.person, details: { letters: 2, group: group?.id } },
    ]);
  });
});
