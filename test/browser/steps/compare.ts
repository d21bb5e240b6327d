import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../accessibility.ts";
import { count, expect, go, numberIn, test } from "../walk.ts";

const rows = 1_456_349;
const changed = 14_346;
/** After the second change: all that differ, and what of them is new or the same since the first. */
const later = { all: 93_611, new: 79_618, same: 13_333 };

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
    await expect(answer).toBeVisible();
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
    await expect(answer).toContainText(`${count(changed)} changed`);
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

    const list = page.getByRole("grid", { name: "Rows that differ" });
    await expect(list).toHaveAttribute("aria-rowcount", String(changed + 1));
    await page.keyboard.press("j");
    await expect(list).toBeFocused();
    // Another list stands where this one did, and has the focus: its first row opens, here already or not.
    const ofChanged = page.getByRole("button", { name: /~ Changed 14,346/ });
    await page.keyboard.press("1");
    await expect(ofChanged).toHaveAttribute("aria-pressed", "true");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("complementary", { name: "Row in full" })).toBeVisible();
    await expect(list.getByRole("row", { selected: true })).toHaveAttribute("aria-rowindex", "2");
    await expect(list.getByRole("row").nth(1)).toContainText(/false\s*→\s*true/);
    await expectAccessible(page, "compare, with rows that differ");
    expect(new URL(page.url()).searchParams.get("kind")).toBe("changed");
    expect(await numberIn(answer, /~\s*([\d,]+) changed/)).toBe(changed);

    await page.getByRole("button", { name: "Export", exact: true }).click();
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("menuitem", { name: "Report, Markdown for a pull request" }).click(),
    ]);
    const report = readFileSync(await saved.path(), "utf8");
    expect(report).toMatch(/^\| late \| BOOLEAN \|/m);
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
    await expect(values).toContainText(/false.*true/s);
    await columns.getByRole("button", { name: "8 columns unchanged" }).click();
    await expect(columns.getByRole("button", { name: "Profile of delay" })).toBeVisible();
    await expectAccessible(page, "compare, with a column opened");
  });

  test("the changed line's condition is the cause named first; it and a value filter the rows", async ({
    page,
  }) => {
    await openComparison(page);
    const causes = page.getByRole("region", { name: "Causes" });
    await expect(causes).toContainText("Looked at");
    // Where the machine is busy the time may be over first: then a person looks for longer.
    const further = causes.getByRole("button", { name: /^Look for/ });
    if (await further.isVisible()) await further.click();
    const first = causes.getByRole("listitem").first();
    await expect(first).toContainText("delay = 15");
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
    await expect(list).toHaveAttribute("aria-rowcount", "354");
    await page.goBack();
    await expect(list).toHaveAttribute("aria-rowcount", String(changed + 1));
    await expect(chips).not.toContainText("origin = DEN");
    await page.goForward();
    await expect(chips).toContainText("origin = DEN");
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

  test("differences that are intended are counted as such, and one row has a remark of its own", async ({
    page,
  }) => {
    await openComparison(page);
    const review = page.getByRole("region", { name: "Review" });
    await expect(review).toContainText("Nothing was reviewed yet.");
    await expect(review.getByRole("button", { name: `${count(changed)} open` })).toBeVisible();

    const causes = page.getByRole("region", { name: "Causes" });
    await causes.getByRole("button", { name: /delay = 15/ }).click();
    const say = page.getByRole("button", {
      name: `Comment on these ${count(changed)} differences`,
    });
    await say.click();
    const form = page.getByRole("dialog", { name: "Comment on these differences" });
    await expect(form.getByLabel("Comment", { exact: true })).toBeFocused();
    await expect(form.getByRole("button", { name: /^Save/ })).toBeDisabled();
    await form.getByLabel("These differences are intended").check();
    await expectAccessible(page, "compare, commenting on differences");
    await form.getByRole("button", { name: /^Save/ }).click();
    await expect(form).toBeHidden();
    await expect(
      review.getByRole("button", { name: `${count(changed)} of ${count(changed)} intended` }),
    ).toBeVisible();
    await expect(review.getByRole("button", { name: "0 open" })).toBeDisabled();
    const remarks = page.getByRole("list", { name: "Remarks" });
    await expect(remarks.getByRole("listitem")).toContainText(
      new RegExp(`intended.*delay = 15.*all ${count(changed)}`, "s"),
    );

    const list = page.getByRole("grid", { name: "Rows that differ" });
    await list.getByRole("row").nth(2).dblclick();
    const detail = page.getByRole("complementary", { name: "Row in full" });
    await expect(detail).toBeVisible();
    await page.keyboard.press("w");
    await page.keyboard.type("Ask the airline about this one");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect(detail.getByText("Ask the airline about this one")).toBeVisible();
    await expect(list.getByRole("row").nth(2)).toContainText("remark: Ask the airline");
    await expectAccessible(page, "compare, a row with a remark");

    const shows = remarks.getByRole("button", {
      name: "Show rows: Ask the airline about this one",
    });
    await shows.click();
    await expect(list).toHaveAttribute("aria-rowcount", "2");
    await page.reload();
    await expect(list).toHaveAttribute("aria-rowcount", "2");
    await page.getByRole("button", { name: /^Remove the remark: Ask the airline/ }).click();
    await expect(page.getByRole("button", { name: "Keep it" })).toBeFocused();
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.goBack();
    await expect(list).toHaveAttribute("aria-rowcount", String(changed + 1));
  });

  test("after a review, a comparison says what is new since, and what was intended stays so while it is the same", async ({
    page,
    workbench,
  }) => {
    await openComparison(page);
    const review = page.getByRole("region", { name: "Review" });
    await review.getByRole("button", { name: "Mark as reviewed" }).click();
    const form = page.getByRole("dialog", { name: "Mark as reviewed" });
    await form.getByLabel("Note, if you like").fill("as the contract says");
    await form.getByRole("button", { name: /^Mark as reviewed/ }).click();
    await expect(review).toContainText(/reviewed by .* just now: as the contract says/);

    // Of the rows that differed: 353 from DEN differ no more, 660 from ORD differ otherwise.
    const restore = changeAgain(workbench.root);
    await page.getByRole("button", { name: "Compare again" }).click();
    const answer = page.getByRole("region", { name: "Answer" });
    await expect(answer).toContainText(`${count(later.all)} changed`);
    const since = review.getByRole("group", { name: "What became of the differences since then" });
    await expect(since).toHaveText(
      new RegExp(
        [
          `${count(later.new)} new`,
          "660 otherwise",
          `${count(later.same)} the same`,
          "353 gone",
        ].join("\\s*"),
      ),
    );
    await expect(review.getByLabel("Since which comparison")).toHaveAttribute(
      "title",
      /the review by/,
    );
    expect(later.new + 660 + later.same).toBe(later.all);
    expect(660 + later.same + 353).toBe(changed);
    await expect(
      review.getByRole("button", { name: `${count(later.same)} of ${count(later.all)} intended` }),
    ).toBeVisible();
    await expect(page.getByRole("list", { name: "Remarks" })).toContainText(
      `${count(later.same)} of ${count(changed)}`,
    );

    await since.getByRole("button", { name: "660 otherwise" }).click();
    const list = page.getByRole("grid", { name: "Rows that differ" });
    await expect(list).toHaveAttribute("aria-rowcount", "661");
    await expect(list.getByRole("row").nth(1)).toContainText("ORD");
    await since.getByRole("button", { name: "353 gone" }).click();
    await expect(list).toHaveAttribute("aria-rowcount", "354");
    await expect(list.getByRole("row").nth(1)).toContainText(/DEN.*false\s*→\s*true/s);
    await expect(page.getByRole("list", { name: "Filters" })).toContainText("no longer differs");
    await expectAccessible(page, "compare, what is gone since the last review");
    await page.goBack();
    await expect(list).toHaveAttribute("aria-rowcount", "661");
    restore();
  });

  test("a transform's comparisons are kept: one opens as it was, and two are measured against each other", async ({
    page,
  }) => {
    await go(page, "Compare");
    await page.getByRole("link", { name: "History of delays" }).first().click();
    const table = page.getByRole("table", { name: "Comparisons of delays" });
    const reviewed = table.getByRole("row", { name: /as the contract says/ });
    await expect(reviewed).toContainText(count(changed));
    await expect(table.getByRole("row")).toHaveCount(4);
    await expectAccessible(page, "the history of a transform");
    await reviewed.getByRole("link").click();
    await expect(page.getByText(/as compared on \d{4}-\d\d-\d\d/)).toBeVisible();
    await expect(page.getByRole("region", { name: "Answer" })).toContainText(
      `${count(changed)} changed`,
    );
    await expect(page.getByRole("button", { name: "Compare again now" })).toBeVisible();
    await expectAccessible(page, "a kept comparison");

    await page.getByRole("link", { name: "History", exact: true }).click();
    const both = page.getByRole("button", { name: "What is new in the later one" });
    await expect(both).toBeDisabled();
    await table.getByRole("checkbox").nth(0).check();
    await table.getByRole("checkbox").nth(1).check();
    await page.getByRole("link", { name: "What is new in the later one" }).click();
    const list = page.getByRole("grid", { name: "Rows that differ" });
    await expect(list).toHaveAttribute("aria-rowcount", String(later.new + 1));
    await expect(page.getByRole("list", { name: "Filters" })).toContainText("new since then");
  });
}

/** Another change on top: a flight from DEN is late as before, one from ORD has another excess. Gives the way back. */
function changeAgain(root: string): () => void {
  const file = join(root, "notebooks/delays.ts");
  const text = readFileSync(file, "utf8");
  const late = "late: flight.delay >= lateAfterMinutes,";
  const excess = "excess: flight.delay - ";
  writeFileSync(
    file,
    text
      .replace(late, `late: flight.delay >= lateAfterMinutes + (flight.origin === "DEN" ? 1 : 0),`)
      .replace(excess, `${excess}(flight.origin === "ORD" ? 1 : 0) - `),
  );
  return () => {
    writeFileSync(file, text);
  };
}

async function openComparison(page: Page): Promise<void> {
  const question = {
    notebook: "delays",
    transform: "delays",
    before: "git:HEAD",
    after: "working",
  };
  await page.goto(new URL(`/compare?${new URLSearchParams(question)}`, page.url()).href);
  await expect(page.getByRole("region", { name: "Answer" })).toBeVisible();
}
