import { readFileSync } from "node:fs";
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

  test("while it is not known yet what should run, the page says that it loads", async ({
    page,
  }) => {
    const known = Promise.withResolvers<void>();
    await page.route("**/api/environments", async (route) => {
      await known.promise;
      await route.continue();
    });
    await page.clock.install();
    await go(page, "Pipelines");
    const loading = page.getByRole("status", { name: "Loading pipelines" });
    await expect(loading).toBeVisible();
    await page.clock.runFor(10_000);
    await expect(loading).toBeVisible();
    known.resolve();
    await expect(page.getByRole("region", { name: "production", exact: true })).toBeVisible();
    await expect(loading).toBeHidden();
  });

  test("a record with a broken field is a dead letter with its reason, and the stream goes on", async ({
    page,
  }) => {
    await go(page, "Pipelines");
    await openTile(page, "staging");
    // The feed breaks a record now and then by itself.
    await expect.poll(async () => (await ledger(page)).deadLettered).toBeGreaterThan(0);
    await expect(
      page.getByText(/column delay is "N\/A", which is not BIGINT/).first(),
    ).toBeVisible();
    const { read } = await ledger(page);
    await expect.poll(async () => (await ledger(page)).read).toBeGreaterThan(read);
    await expectAccessible(page, "pipelines, with dead letters");
  });

  test("a dead letter is read to its last byte, replayed, and stays when its cause does", async ({
    page,
  }) => {
    await go(page, "Pipelines");
    await openTile(page, "staging");
    await page.getByRole("link", { name: /^Open all/ }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Dead letters" })).toBeVisible();
    await expect(
      page.getByRole("heading", { name: /letters? of records that could not pass, for/ }),
    ).toBeVisible();
    const groups = page.getByRole("region", { name: "Groups of dead letters" });
    await groups.getByRole("link", { name: /is "N\/A", which is not BIGINT/ }).click();
    await expect(page).toHaveURL(/group=[0-9a-f]{12}&letter=flights%2F\d+%2F\d+%2Fdecode%2F/);
    // Enter opens a letter and leaves the focus where it is: the next is one press away.
    const letters = page.getByRole("region", { name: "Letters of the group" });
    const last = letters.getByRole("link").last();
    await last.press("Enter");
    await expect(last).toHaveAttribute("aria-current", "true");
    await expect(last).toBeFocused();
    const letter = page.getByRole("region", { name: "The letter", exact: true });
    await expect(letter).toContainText("The record is not what its source's contract says.");
    await expect(letter.getByRole("region", { name: "Record's value" })).toContainText(
      '"delay": "N/A"',
    );
    const address = page.url();
    await expectAccessible(page, "dead letters");

    await letter.getByRole("button", { name: "Replay this letter" }).click();
    const replays = page.getByRole("region", { name: "Replays" });
    await expect(replays).toContainText("1 letter asked to be handled again.");
    await expect(replays).toContainText(/Replay of 1 letter, .*: done/);
    await expect(replays).toContainText("1 dead-lettered again");
    await page.goto(address.replace(/group=[0-9a-f]+&/, ""));
    await expect(letter.getByRole("region", { name: "Record's value" })).toBeVisible();
    await expect(page).toHaveURL(address);
    await page.goto(address.replace(/letter=.*/, "letter=nonsense"));
    await expect(page).toHaveURL(/letter=flights/);
    await page.goto(address);

    await page.getByRole("button", { name: "Replay this group…" }).click();
    const question = page.getByRole("dialog", { name: /^Replay \d+ letters? in staging\?/ });
    await expect(question).toContainText("in a new epoch");
    await expectAccessible(page, "the question before a replay");
    await question.getByRole("button", { name: "Not now" }).click();
    await expect(page.getByRole("dialog")).toHaveCount(0);

    const downloading = page.waitForEvent("download");
    await letter.getByRole("link", { name: "Download the value as it came" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/^flights-\d+-\d+\.value$/);
    expect(JSON.parse(readFileSync(await download.path(), "utf8"))).toMatchObject({ delay: "N/A" });
  });

  test("a dead letter that needs nothing more is dismissed, looked at again and put back", async ({
    page,
  }) => {
    await go(page, "Pipelines");
    await openTile(page, "staging");
    await page.getByRole("link", { name: /^Open all/ }).click();
    const letter = page.getByRole("region", { name: "The letter", exact: true });
    await letter.getByRole("button", { name: "Dismiss…" }).click();
    const question = page.getByRole("dialog", { name: "Dismiss 1 letter in staging?" });
    await expect(question).toContainText("stays out of the sinks");
    await expectAccessible(page, "the question before a dismissal");
    await question.getByRole("button", { name: "Dismiss 1" }).click();
    await expect(page.getByRole("status").filter({ hasText: "1 letter dismissed." })).toBeVisible();
    await expect(letter).toContainText("dismissed just now");

    await page.getByRole("button", { name: /^Dismissed 1/ }).click();
    await expect(page).toHaveURL(/shelf=dismissed/);
    await expect(page.getByRole("heading", { name: /^1 dismissed letter, for one/ })).toBeVisible();
    await expect(letter.getByRole("button", { name: "Put back" })).toBeVisible();
    await expectAccessible(page, "dismissed dead letters");
    await page.reload();
    await page.getByRole("button", { name: "Put this group back" }).click();
    await expect(page.getByRole("heading", { name: "No letter is dismissed." })).toBeVisible();
    await page.getByRole("button", { name: /^Open \d/ }).click();
    await expect(page.getByRole("heading", { name: /letters? of records that/ })).toBeVisible();
    await expect(page.getByRole("group", { name: "Which letters" })).toHaveCount(0);
  });

  test("what ran and was written again is on the timeline; what is trivial is folded", async ({
    page,
  }) => {
    await go(page, "Pipelines");
    await openTile(page, "staging");
    await page.getByRole("tab", { name: "Epochs" }).click();
    await expect(page).toHaveURL(/view=epochs/);
    await expect(page.getByRole("region", { name: "Timeline of epochs" })).toContainText("began");
    await expect(page.getByRole("region", { name: "Written again" })).toContainText(
      "Replay of 1 letter",
    );
    await expectAccessible(page, "epochs");
    await page.keyboard.press("ArrowLeft");
    await expect(page.getByRole("tab", { name: "Expectations" })).toBeFocused();
    await expect(page.getByRole("tabpanel")).toContainText(
      "This source expects nothing beyond its contract",
    );
    await expectAccessible(page, "expectations");
    await expect(page.getByRole("tab", { name: /Partitions|Indices/ })).toHaveCount(0);
  });

  test("a verify reads the sinks back: both sums add up and nothing differs", async ({ page }) => {
    await go(page, "Pipelines");
    await openTile(page, "staging");
    await page.getByRole("tab", { name: "Verify" }).click();
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await expect(page.getByRole("button", { name: "Verify again" })).toBeVisible();
    const verdict = page.getByRole("tabpanel");
    await expect(verdict.getByText(/Every row is what the topic says/)).toBeVisible();
    for (const side of ["Should be", "Is"]) {
      const text = await verdict
        .getByText(new RegExp(`^${side} [\\d,]+ =`))
        .first()
        .innerText();
      const [sum = 0, ...terms] = [...text.matchAll(/[\d,]+/g)].map(([digits]) =>
        Number(digits.replaceAll(",", "")),
      );
      expect(
        terms.reduce((total, term) => total + term, 0),
        `“${text}” adds up`,
      ).toBe(sum);
    }
    await expectAccessible(page, "a verify");
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
