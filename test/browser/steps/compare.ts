import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../accessibility.ts";
import { count, expect, go, numberIn, test } from "../walk.ts";

const rows = 1_456_349;
const changed = 14_346;

/** The change the walk compares: a flight is late from 15 minutes on, not after. Made in the file, as any editor would. */
export function changeTransform(root: string): void {
  const file = join(root, "notebooks/delays.ts");
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text.replace("flight.delay > lateAfterMinutes", "flight.delay >= lateAfterMinutes"),
  );
}

/** Step 5 of the way: this version of `delays` against the one in Git's last commit. */
export function compareSteps(): void {
  test("nothing has changed yet: both versions give the same table", async ({ page }) => {
    await go(page, "Compare");
    await page.getByRole("button", { name: "Compare with Git’s last commit" }).click();
    const answer = page.getByRole("region", { name: "Answer" });
    await expect(answer).toBeVisible({ timeout: 60_000 });
    await expect(answer).toContainText(`${count(rows)} equal`);
    await expect(
      page.getByText("Both versions give the same table, value by value."),
    ).toBeVisible();
    await expectAccessible(page, "compare, identical");
  });

  test("a changed line is counted, in sums that add up on both sides", async ({
    page,
    workbench,
  }) => {
    changeTransform(workbench.root);
    await go(page, "Notebooks");
    await page.getByRole("main").getByRole("link", { name: "delays.ts" }).click();
    const compare = page.getByRole("main").getByRole("link", { name: /^Compare/ });
    await expect(compare).toHaveAttribute("href", /transform=delays/);
    await compare.click();
    const answer = page.getByRole("region", { name: "Answer" });
    await expect(answer).toContainText(`${count(changed)} changed`, { timeout: 60_000 });
    await expect(answer).toContainText(`${count(rows - changed)} equal`);
    await expect(answer).toContainText("0 added");
    await expect(answer).toContainText("0 removed");
    await expect(answer).toContainText("0 ambiguous");
    const sum = `${count(rows)} = ${count(rows - changed)} + ${count(changed)} rows`;
    await expect(answer.getByText(sum)).toHaveCount(2);

    const columns = page.getByRole("region", { name: "Columns" });
    const late = columns.getByRole("row", { name: /late\b/ });
    await expect(late).toContainText(count(changed));
    await expect(late).toContainText(/0\.99\s*%|1\.0\s*%/);
    const outcomes = page.getByRole("region", { name: "Outcomes" });
    await expect(outcomes).toContainText("late share");
    await expect(outcomes).toContainText(/0\.216\d*.*0\.225\d*|21\.6.*22\.6/s);

    await page.getByRole("button", { name: /~ Changed 14,346/ }).click();
    const list = page.getByRole("grid", { name: "Rows that differ" });
    await expect(list).toHaveAttribute("aria-rowcount", String(changed + 1));
    await expect(list.getByRole("row").nth(1)).toContainText(/false\s*→\s*true/);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("complementary", { name: "Row in full" })).toBeVisible();
    await expectAccessible(page, "compare, with rows that differ");
    expect(new URL(page.url()).searchParams.get("kind")).toBe("changed");
    expect(await numberIn(answer, /~\s*([\d,]+) changed/)).toBe(changed);
  });

  test("what did not change is folded away, and a column that is opened shows both sides", async ({
    page,
  }) => {
    await openComparison(page);
    const columns = page.getByRole("region", { name: "Columns" });
    await expect(columns.getByRole("button", { name: "8 columns unchanged" })).toBeVisible();
    await expect(columns.getByRole("button", { name: "Profile of delay" })).toHaveCount(0);
    await columns.getByRole("button", { name: "Profile of late" }).click();
    const values = columns.getByRole("table", { name: "Commonest values of late" });
    await expect(values).toContainText(/false.*true/s, { timeout: 60_000 });
    await columns.getByRole("button", { name: "8 columns unchanged" }).click();
    await expect(columns.getByRole("button", { name: "Profile of delay" })).toBeVisible();
    await expectAccessible(page, "compare, with a column opened");
  });

  test("the changed line's condition is the cause named first; it and a value filter the rows", async ({
    page,
  }) => {
    await openComparison(page);
    const causes = page.getByRole("region", { name: "Causes" });
    await expect(causes).toContainText("Looked at", { timeout: 60_000 });
    // Where the machine is busy the time may be over first: then a person looks for longer.
    const further = causes.getByRole("button", { name: /^Look for/ });
    if (await further.isVisible()) await further.click();
    const first = causes.getByRole("listitem").first();
    await expect(first).toContainText("delay = 15", { timeout: 90_000 });
    await expect(first).toContainText(`All ${count(changed)} differences · no equal row`);
    await expect(causes).toContainText(/Looked at 8 columns in .* allowed/);
    await first.getByRole("button").click();
    await expect(
      page.getByText(`${count(changed)} of ${count(changed)} differences`),
    ).toBeVisible();

    await page.getByRole("button", { name: "Filter", exact: true }).click();
    await page.getByLabel("Column", { exact: true }).selectOption("origin");
    await page.getByLabel("Condition").selectOption("equals");
    await page.getByLabel("Value").fill("DEN");
    await page.getByRole("button", { name: "Filter rows" }).click();
    const chips = page.getByRole("list", { name: "Filters" });
    await expect(chips).toContainText("origin = DEN");
    const list = page.getByRole("grid", { name: "Rows that differ" });
    await expect(list).toHaveAttribute("aria-rowcount", "354");
    await expect(list.getByRole("row").nth(1)).toContainText("DEN");
    await expectAccessible(page, "compare, filtered by a cause and a value");

    await page.reload();
    await expect(list).toHaveAttribute("aria-rowcount", "354", { timeout: 60_000 });
    await page.goBack();
    await expect(list).toHaveAttribute("aria-rowcount", String(changed + 1));
    await expect(chips).not.toContainText("origin = DEN");
    await page.goForward();
    await chips.getByRole("button", { name: "Take away the filter delay = 15" }).click();
    await expect(chips).not.toContainText("delay = 15");
    await expect(list).toHaveAttribute("aria-rowcount", "354");

    await list.getByRole("row").nth(1).dblclick();
    const detail = page.getByRole("complementary", { name: "Row in full" });
    await expect(detail).toContainText(/Record [\d,]+ of flights@2001q1/);
    await expect(
      detail.getByRole("link", { name: /^notebooks\/delays\.ts, line \d+$/ }),
    ).toBeVisible();
  });
}

async function openComparison(page: Page): Promise<void> {
  const question = {
    notebook: "delays",
    transform: "delays",
    before: "git:HEAD",
    after: "working",
  };
  await page.goto(new URL(`/compare?${new URLSearchParams(question)}`, page.url()).href);
  await expect(page.getByRole("region", { name: "Answer" })).toBeVisible({ timeout: 60_000 });
}
