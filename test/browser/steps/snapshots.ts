import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../accessibility.ts";
import { expect, go, test } from "../walk.ts";

const firstQuarter = "1,477,911";

/** Step 3 of the way: see the sources, freeze, freeze the same again, cancel. */
export function snapshotSteps(): void {
  test("what is frozen is told: its rows, schema, size, hash, when and from what", async ({
    page,
  }) => {
    await go(page, "Snapshots");
    const sources = page.getByRole("rowgroup");
    await expect(sources.getByText("data/flights-3m.parquet", { exact: true })).toBeVisible();
    await expect(sources.getByText("data/airports.csv", { exact: true })).toBeVisible();

    await page.getByRole("button", { name: "flights@2001q1" }).click();
    const detail = page.getByRole("region", { name: "flights@2001q1" });
    await expect(detail.getByText(`${firstQuarter} rows × 6`)).toBeVisible();
    await expect(detail.getByText(/\d+(\.\d)? MB/)).toBeVisible();
    await expect(detail.getByText(/frozen \d{4}-\d\d-\d\d \d\d:\d\d/)).toBeVisible();
    await expect(detail.getByRole("button", { name: /^Copy hash [0-9a-f]{6}$/ })).toBeVisible();
    for (const [column, type] of [
      ["id", "int64"],
      ["date", "timestamp"],
      ["delay", "int64"],
      ["distance", "int64"],
      ["origin", "text"],
      ["destination", "text"],
    ] as const) {
      const line = detail.getByRole("row", { name: new RegExp(`^${column}\\b`) });
      await expect(line.getByRole("cell", { name: type, exact: true })).toBeVisible();
    }
    await detail.getByRole("tab", { name: "How it was cut" }).click();
    await expect(detail.getByText("data/flights-3m.parquet, 13.5 MB, sha256")).toBeVisible();
    await expect(detail.getByRole("region", { name: "Query that was run" })).toContainText(
      "date < timestamp '2001-04-01'",
    );
    await detail.getByRole("tab", { name: /^Rows/ }).click();
    await expect(page.getByRole("grid", { name: "Rows of flights@2001q1" })).toBeVisible();
    await expect(detail.getByText(/^rows 1–\d+ of 1,477,911$/)).toBeVisible();
  });

  test("the same rows under another label are the same content, kept once", async ({
    page,
    workbench,
  }) => {
    const before = storedTables(workbench.root);
    await openFreeze(page);
    await page.getByRole("textbox", { name: "Label" }).fill("again");
    await freezeButton(page).click();
    await expect(page.getByRole("progressbar", { name: "Freezing flights@again" })).toBeVisible();
    const outcome = page.getByRole("status").filter({ hasText: "flights@again is frozen" });
    await expect(outcome).toContainText("the same content");
    await expect(outcome).toContainText("as flights@2001q1");
    await expect(outcome).toContainText(`${firstQuarter} rows`);
    await expect(outcome).toContainText("one copy is kept");
    await expect(page.getByRole("region", { name: "flights@again" })).toContainText(
      "same content as flights@2001q1",
    );
    expect(storedTables(workbench.root)).toEqual(before);
    await expectAccessible(page, "snapshots, a freeze done");
  });

  test("a seeded sample is the same sample whenever it is frozen", async ({ page }) => {
    await openFreeze(page);
    const hashes: string[] = [];
    for (const label of ["sample", "sample-again"]) {
      await page.getByRole("textbox", { name: "Label" }).fill(label);
      await page.getByRole("radio", { name: /A seeded sample/ }).check();
      await page.getByRole("textbox", { name: "Fraction, %" }).fill("10");
      await page.getByRole("textbox", { name: "Seed" }).fill("7");
      await freezeButton(page).click();
      const detail = page.getByRole("region", { name: `flights@${label}`, exact: true });
      await expect(detail.getByText("10 %, seed 7")).toBeVisible();
      await expect(detail.getByText(/^14\d,\d{3} rows × 6$/)).toBeVisible();
      hashes.push((await detail.getByRole("button", { name: /^Copy hash/ }).textContent()) ?? "");
      await page.getByRole("button", { name: "Freeze another" }).click();
    }
    expect(hashes[0]).toMatch(/^[0-9a-f]{6}$/);
    expect(hashes[1]).toBe(hashes[0]);
    await expectAccessible(page, "snapshots, the freeze panel open");
  });

  test("a cancelled freeze leaves nothing behind", async ({ page, workbench }) => {
    const before = everyFile(workbench.root);
    await openFreeze(page);
    await page.getByRole("textbox", { name: "Label" }).fill("never");
    await page.getByRole("radio", { name: /A seeded sample/ }).check();
    await page.getByRole("textbox", { name: "Seed" }).fill("99");
    await page.getByRole("textbox", { name: "Fraction, %" }).fill("90");
    await freezeButton(page).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect(page.getByText("Cancelled. Nothing was kept.")).toBeVisible();
    // A folder may go while it is read.
    await expect(() => expect(everyFile(workbench.root)).toEqual(before)).toPass();
    await page.reload();
    await expect(page.getByRole("button", { name: "flights@2001q1" })).toBeVisible();
    await expect(page.getByRole("button", { name: "flights@never" })).toHaveCount(0);
  });
}

async function openFreeze(page: Page): Promise<void> {
  await go(page, "Snapshots");
  await page.getByRole("button", { name: "Freeze flights" }).click();
  await expect(page.getByRole("complementary", { name: "Freeze flights" })).toBeVisible();
}

const freezeButton = (page: Page) =>
  page
    .getByRole("complementary", { name: "Freeze flights" })
    .getByRole("button", { name: "Freeze", exact: true });

/** Manifests and the content store, by path. */
function everyFile(root: string): string[] {
  return ["snapshots", ".penstock/store"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      .toSorted(),
  );
}

function storedTables(root: string): string[] {
  return everyFile(root).filter((path) => path.startsWith("/.penstock/store/"));
}
