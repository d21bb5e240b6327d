import type { Page } from "@playwright/test";
import { expectAccessible } from "../accessibility.ts";
import { expect, go, test } from "../walk.ts";
import { living } from "../workbench.ts";

/** Step 7 of the way: both environments flow, a broken record is set aside, and a kill changes nothing. */
export function pipelineSteps(): void {
  test("both environments flow, and what was read adds up", async ({ page }) => {
    await go(page, "Pipelines");
    for (const environment of ["staging", "production"]) {
      await openTile(page, environment);
      await expect(page.getByText("flowing").first()).toBeVisible();
      await expect.poll(async () => (await ledger(page)).read).toBeGreaterThan(100);
      await expect(page.getByText(/records\/s/).first()).toBeVisible();
    }
    const first = (await ledger(page)).read;
    await expect.poll(async () => (await ledger(page)).read).toBeGreaterThan(first);
    await expectAccessible(page, "pipelines");
  });

  test("a record with a broken field is a dead letter with its reason, and the stream goes on", async ({
    page,
  }) => {
    await go(page, "Pipelines");
    await openTile(page, "staging");
    // The feed breaks a record now and then by itself.
    await expect
      .poll(async () => (await ledger(page)).deadLettered, { timeout: 120_000 })
      .toBeGreaterThan(0);
    await expect(
      page.getByText(/column delay is "N\/A", which is not BIGINT/).first(),
    ).toBeVisible();
    const { read } = await ledger(page);
    await expect.poll(async () => (await ledger(page)).read).toBeGreaterThan(read);
    await expectAccessible(page, "pipelines, with dead letters");
  });

  test("killed and started again, the pipelines go on where they were", async ({
    page,
    workbench,
  }) => {
    await go(page, "Pipelines");
    await openTile(page, "production");
    await expect.poll(async () => (await ledger(page)).read).toBeGreaterThan(0);
    const before = await ledger(page);
    await workbench.kill();
    await workbench.start();
    await page.goto(workbench.url());
    await go(page, "Pipelines");
    await openTile(page, "production");
    await expect.poll(async () => (await ledger(page)).read).toBeGreaterThan(before.read);
    await expect(page.getByText("flowing").first()).toBeVisible();
  });

  test("the palette and the keys are told to everybody", async ({ page }) => {
    await go(page, "Pipelines");
    await page.keyboard.press("Control+k");
    await expect(page.getByRole("dialog", { name: "Command palette" })).toBeVisible();
    await expectAccessible(page, "the palette");
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toHaveCount(0);
    await page.keyboard.press("?");
    await expect(page.getByRole("dialog")).toBeVisible();
    await expectAccessible(page, "the keys");
  });

  test("Ctrl-C ends everything it started", async ({ workbench }) => {
    const { exitCode, children } = await workbench.interrupt();
    expect(exitCode).toBe(0);
    await expect.poll(() => living(children)).toEqual([]);
    await workbench.start();
  });
}

type Ledger = {
  read: number;
  written: number;
  filtered: number;
  stale: number;
  deadLettered: number;
};

/** The sum as the page shows it; a sum that does not add up fails here. */
async function ledger(page: Page): Promise<Ledger> {
  const sentence = page.getByText(/[\d,]+ read = /).last();
  const text = (await sentence.textContent()) ?? "";
  const parts =
    /([\d,]+) read = ([\d,]+) written \+ ([\d,]+) filtered \+ ([\d,]+) stale \+ ([\d,]+) dead-lettered/.exec(
      text.replaceAll(/\s+/g, " "),
    );
  const [read = 0, written = 0, filtered = 0, stale = 0, deadLettered = 0] = (parts ?? [])
    .slice(1)
    .map((part) => Number(part.replaceAll(",", "")));
  expect(written + filtered + stale + deadLettered, `“${text}” adds up`).toBe(read);
  return { read, written, filtered, stale, deadLettered };
}

async function openTile(page: Page, environment: string): Promise<void> {
  await page
    .getByRole("link", { name: new RegExp(`${environment} / delays`) })
    .or(page.getByRole("button", { name: new RegExp(`${environment} / delays`) }))
    .first()
    .click();
  await expect(page.getByText(`${environment} / delays`).last()).toBeVisible();
}
