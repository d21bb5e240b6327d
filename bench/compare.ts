import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "@playwright/test";
import type { Comparison } from "#promote/compare.ts";
import type { Causes } from "#promote/compare-details.ts";
import { initWorkspace } from "#promote/init.ts";
import type { DiffPage, ValueFilter } from "#snapshots/diff.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openWorkspace, type Workspace } from "#snapshots/workspace.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";
import { withServer } from "./server.ts";

const reloads = 11;
const barMs = 300;

export const rows: Benchmark[] = [{ name: "the Compare page over 1.46 million changed rows", run }];

/** The demo's transform and its last commit, whose every row differs, on a server's pages. */
async function run(): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  try {
    const dir = join(folder, "demo");
    unwrap(await initWorkspace({ dir, demo: true }));
    const workspace = unwrap(openWorkspace(dir));
    edit(workspace);
    return await withServer(workspace, async ({ port, token }) => {
      const origin = `http://127.0.0.1:${port}`;
      const filters = await measureFilters(origin, token);
      return [...(await measurePaint(`${origin}/?token=${token}`)), ...filters];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function edit({ paths }: Workspace): void {
  const file = join(paths.notebooks, "delays.ts");
  const text = readFileSync(file, "utf8");
  const edited = text
    .replace("flight.delay > lateAfterMinutes", "flight.delay >= lateAfterMinutes")
    .replace("excess: flight.delay -", "excess: 1 + flight.delay -");
  writeFileSync(file, edited);
}

/** From the request of a filter's first rows to their arrival. A filter's rows are kept, so each is asked for once. */
async function measureFilters(origin: string, token: string): Promise<Measurement[]> {
  const get = async <T>(path: string, body?: object): Promise<T> => {
    const response = await fetch(`${origin}/api/compare${path}`, {
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body ? { method: "POST", body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    // A stream of work ends with what it came to.
    return JSON.parse(text.trim().split("\n").at(-1) ?? "") as T;
  };
  const done = await get<{ value: Comparison }>("", {
    notebook: "delays",
    transform: "delays",
    before: { kind: "git", revision: "HEAD" },
    after: { kind: "working" },
  });
  const { id } = done.value;
  const { causes } = await get<Causes>(`/${id}/causes`);
  // The first page of all puts the differences in order, for every filter after it.
  const all = await get<DiffPage>(`/${id}/rows`);
  if (all.total < 1_000_000) throw new Error(`Only ${all.total} rows changed.`);
  const value = (column: string, test: ValueFilter["test"], value: string) => ({
    values: JSON.stringify([{ column, test, value }]),
  });
  const asked: Record<string, Record<string, string>[]> = {
    "a column": ["late", "excess"].map((column) => ({ column })),
    "a value": [
      ...["ORD", "ATL", "LAX"].map((origin) => value("origin", "equals", origin)),
      ...["60", "90"].map((delay) => value("delay", "atLeast", delay)),
    ],
    "a part of a text": ["A", "or", "SF"].map((text) => value("destination", "contains", text)),
    "a cause": causes.map(({ name }) => ({ cause: name })),
  };
  const measurements: Measurement[] = [];
  for (const [by, filters] of Object.entries(asked)) {
    if (filters.length === 0) throw new Error(`Nothing was found to filter by ${by}.`);
    const timings: number[] = [];
    for (const filter of filters) {
      const started = performance.now();
      await get<DiffPage>(`/${id}/rows?${new URLSearchParams(filter)}`);
      timings.push(performance.now() - started);
    }
    measurements.push({
      label: `filter ${all.total.toLocaleString("en")} changed rows by ${by}, slowest of ${filters.length}`,
      value: Math.max(...timings),
      unit: "ms",
      bar: { most: barMs },
    });
  }
  return measurements;
}

/** From the reload of a comparison that is known to the paint of its answer, as Chromium reports it. */
async function measurePaint(url: string): Promise<Measurement[]> {
  const executablePath = process.env["PENSTOCK_CHROMIUM"];
  if (!executablePath) throw new Error("There is no Chromium; npm test installs it.");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(url);
    await page.addInitScript(reportAnswer);
    const address = "/compare?notebook=delays&transform=delays&before=git%3AHEAD&after=working";
    await page.goto(new URL(address, url).href);
    await answerPaint(page);
    await page.waitForLoadState("networkidle");
    const timings: number[] = [];
    for (let i = 0; i < reloads; i += 1) {
      await page.reload({ waitUntil: "commit" });
      timings.push(await answerPaint(page));
      // What a page goes on asking for is not to be in the way of the next one.
      await page.waitForLoadState("networkidle");
    }
    const label = "reload a comparison that is kept: its answer is painted";
    return [
      { label: `${label}, p50`, value: median(timings), unit: "ms", bar: { most: barMs } },
      { label: `${label}, slowest of ${reloads}`, value: Math.max(...timings), unit: "ms" },
    ];
  } finally {
    await browser.close();
  }
}

declare global {
  interface Window {
    painted: Promise<number>;
  }
}

/** Runs in the page: has Chromium say when the answer's sentence was painted. */
function reportAnswer(): void {
  const painted = Promise.withResolvers<number>();
  window.painted = painted.promise;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) painted.resolve(entry.startTime);
  }).observe({ type: "element", buffered: true });
  new MutationObserver(() => {
    const answer = document.querySelector('[aria-label="Answer"] h2');
    if (answer && !answer.hasAttribute("elementtiming"))
      answer.setAttribute("elementtiming", "answer");
  }).observe(document, { childList: true, subtree: true });
}

function answerPaint(page: Page): Promise<number> {
  return page.evaluate(() => window.painted);
}
