import type { Locator, Page, Request } from "@playwright/test";
import { expectAccessible } from "../accessibility.ts";
import { expect, go, test } from "../walk.ts";

const rowsOfDelays = "1,456,349";

/** The cells of demo/notebooks/delays.ts, by what they are for. */
const cells = {
  title: 1,
  imports: 2,
  flights: 3,
  airports: 4,
  typical: 6,
  delays: 8,
  metrics: 10,
  byHour: 11,
  chart: 12,
  worst: 13,
  words: 14,
} as const;

/** Step 4 of the way: run, look, change, break, interrupt, reload, save. */
export function notebookSteps(): void {
  test("everything stale runs, by keyboard, and shows each kind of output", async ({ page }) => {
    await go(page, "Notebooks");
    await expectAccessible(page, "the notebooks");
    await openNotebook(page);
    await expect(status(page, /\d+ stale/)).toBeVisible();

    await cell(page, cells.flights).focus();
    await page.keyboard.press("Control+Shift+Enter");
    await expect(status(page, "up to date")).toBeVisible();
    for (const number of codeCells) await expectState(page, number, "done");

    const title = cell(page, cells.title);
    await expect(title.getByRole("heading", { level: 1, name: "Arrival delays" })).toBeVisible();
    await expect(title.getByRole("emphasis")).toHaveText("even for where they start from");
    await expect(cell(page, cells.delays)).toContainText(`${rowsOfDelays} rows × 9`);
    await expect(cell(page, cells.delays)).toContainText(
      `1,477,911 read = ${rowsOfDelays} kept + 21,562 filtered`,
    );
    await expect(cell(page, cells.metrics)).toContainText(
      /late share\s*0\.\d+\s*over\s*1,456,349 rows\s*better\s*lower/,
    );
    await expect(
      cell(page, cells.chart).getByRole("img", {
        name: "bar chart of share late by hour of departure, 24 rows",
      }),
    ).toBeVisible();
    await expect(cell(page, cells.words)).toContainText(
      /The worst hour to leave is \d+:00: \d+\.\d % run more than 15 minutes late\./,
    );
    await expectAccessible(page, "a notebook with its outputs");
  });

  test("a table of any length scrolls to its end by keyboard, and only what is in view travels", async ({
    page,
  }) => {
    const sent: Promise<{ rows: number; bytes: number }>[] = [];
    page.on("requestfinished", (request) => {
      if (/\/api\/tables\/[0-9a-f]+\/rows/.test(request.url())) sent.push(sizeOf(request));
    });
    await openNotebook(page);
    const shown = cell(page, cells.delays);
    const grid = shown.getByRole("grid", { name: "delays" });
    await expect(grid).toHaveAttribute("aria-rowcount", "1456350");
    await grid.focus();
    await page.keyboard.press("Control+End");
    await expect(shown.getByText(/^rows 1,456,\d{3}–1,456,349 of 1,456,349$/)).toBeVisible();
    await expect(grid.getByRole("row").last()).toHaveAccessibleName(/^1,477,910 /);
    await page.keyboard.press("Control+Home");
    await expect(shown.getByText(/^rows 1–\d+ of 1,456,349$/)).toBeVisible();
    for (let pages = 0; pages < 5; pages += 1) await page.keyboard.press("PageDown");
    await expect(shown.getByText(/^rows \d\d–/)).toBeVisible();

    const travelled = await Promise.all(sent);
    const rows = travelled.reduce((sum, each) => sum + each.rows, 0);
    const bytes = travelled.reduce((sum, each) => sum + each.bytes, 0);
    expect(rows, "rows asked for").toBeLessThan(5_000);
    expect(bytes, "bytes sent").toBeLessThan(500_000);
  });

  test("a change makes stale what stands on it, and nothing else", async ({ page }) => {
    await openNotebook(page);
    const before = await lateShare(page);
    await edit(page, cells.delays);
    await page.getByText("late: flight.delay > lateAfterMinutes,").click();
    await page.keyboard.press("Home");
    for (const _ of "late: flight.delay >") await page.keyboard.press("ArrowRight");
    await page.keyboard.type("=");
    await expect(page.getByText("late: flight.delay >= lateAfterMinutes,")).toBeVisible();

    const changed = [
      cells.delays,
      cells.metrics,
      cells.byHour,
      cells.chart,
      cells.worst,
      cells.words,
    ];
    for (const number of changed) await expectState(page, number, "stale");
    for (const number of [cells.imports, cells.flights, cells.airports, cells.typical])
      await expectState(page, number, "done");

    await page.getByRole("button", { name: "Run stale" }).click();
    await expect(status(page, "up to date")).toBeVisible();
    for (const number of changed) await expectState(page, number, "done");
    expect(await lateShare(page)).toBeGreaterThan(before);
    await expect(page.getByText("edited, not saved", { exact: true }).first()).toBeVisible();
  });

  test("a broken cell says what is wrong and where, and the rest stays", async ({ page }) => {
    await openNotebook(page);
    await page.getByRole("button", { name: `Insert a cell after cell ${cells.words}` }).click();
    const added = page.getByRole("textbox", { name: `Cell ${cells.words + 1} code` });
    await expect(added).toBeFocused();
    await page.keyboard.type("const nobody = hours.find((row) => row.hour === 99);\n");
    await page.keyboard.type("const share = nobody.late_share;");
    await page.keyboard.press("Control+Enter");
    await expectState(page, cells.words + 1, "failed");
    const said = cell(page, cells.words + 1).getByRole("alert");
    await expect(said).toContainText("Line 2, column 22.");
    await expect(said).toContainText("late_share");
    await expect(page.getByRole("button", { name: "1 error" })).toBeVisible();
    for (const number of codeCells) await expectState(page, number, "done");
    await expectAccessible(page, "a notebook with an error");
  });

  test("a cell without an end is interrupted, and every other result is kept", async ({ page }) => {
    await openNotebook(page);
    const share = await lateShare(page);
    await edit(page, cells.words + 1);
    await page.keyboard.press("Control+a");
    await page.keyboard.type("while (true) {}");
    await page.keyboard.press("Control+Enter");
    await expectState(page, cells.words + 1, "running");
    const interrupt = page
      .getByRole("toolbar", { name: "Notebook" })
      .getByRole("button", { name: /^Interrupt/ });
    await interrupt.click();
    await expect(cell(page, cells.words + 1).getByRole("alert")).toContainText("Interrupted.");

    for (const number of codeCells) await expectState(page, number, "done");
    expect(await lateShare(page)).toBe(share);
    // What was interrupted took nothing with it: a cell that uses another's value still finds it.
    await edit(page, cells.words + 1);
    await page.keyboard.press("Control+a");
    await page.keyboard.type("hours.length * 1000");
    await page.keyboard.press("Control+Enter");
    await expectState(page, cells.words + 1, "done");
    await expect(cell(page, cells.words + 1)).toContainText("24000");
  });

  test("a page loaded again shows everything; saving writes the change and nothing else", async ({
    page,
    workbench,
  }) => {
    await openNotebook(page);
    await page.getByRole("button", { name: `Actions for cell ${cells.words + 1}` }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await expect(cell(page, cells.words + 1)).toHaveCount(0);
    const share = await lateShare(page);
    await page.reload();
    for (const number of codeCells) await expectState(page, number, "done");
    expect(await lateShare(page)).toBe(share);
    await expect(cell(page, cells.delays)).toContainText(`${rowsOfDelays} rows × 9`);
    await expect(cell(page, cells.chart).getByRole("img", { name: /^bar chart/ })).toBeVisible();
    await expect(cell(page, cells.words)).toContainText("The worst hour to leave is");

    await page.keyboard.press("Control+s");
    await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
    const changes = workbench
      .git("diff", "--unified=0", "notebooks/delays.ts")
      .split("\n")
      .filter((line) => /^[-+](?![-+])/.test(line));
    expect(changes).toEqual([
      "-      late: flight.delay > lateAfterMinutes,",
      "+      late: flight.delay >= lateAfterMinutes,",
    ]);
  });
}

const codeCells = Object.values(cells).filter((number) => number !== cells.title);

async function openNotebook(page: Page): Promise<void> {
  await go(page, "Notebooks");
  await page.getByRole("main").getByRole("link", { name: "delays.ts" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "delays.ts" })).toBeVisible();
}

/** A cell, by its number; its name says how it is. */
function cell(page: Page, number: number): Locator {
  return page.getByRole("region", { name: new RegExp(`^Cell ${number}, `) });
}

function status(page: Page, text: string | RegExp): Locator {
  return page.getByRole("toolbar", { name: "Notebook" }).getByText(text);
}

/** Goes into a cell's code by keyboard. */
async function edit(page: Page, number: number): Promise<void> {
  await cell(page, number).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("textbox", { name: `Cell ${number} code` })).toBeFocused();
}

async function expectState(page: Page, number: number, state: string): Promise<void> {
  await expect(cell(page, number)).toHaveAccessibleName(`Cell ${number}, code, ${state}`);
}

/** The metric's value as the notebook shows it. */
async function lateShare(page: Page): Promise<number> {
  const metrics = cell(page, cells.metrics);
  await expect(metrics).toContainText(/late share\s*0\.\d+/);
  return Number(/late share\s*(0\.\d+)/.exec((await metrics.textContent()) ?? "")?.[1]);
}

async function sizeOf(request: Request): Promise<{ rows: number; bytes: number }> {
  const rows = Number(new URL(request.url()).searchParams.get("limit"));
  return { rows, bytes: (await request.sizes()).responseBodySize };
}
