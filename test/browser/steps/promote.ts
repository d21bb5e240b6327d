import { execFileSync } from "node:child_process";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../accessibility.ts";
import { expect, go, test } from "../walk.ts";

/** Step 6 of the way: build, promote to staging, be refused, approve, promote to production. */
export function promoteSteps(): void {
  test("a release is built, with its evidence, and goes to staging in one click", async ({
    page,
    workbench,
  }) => {
    await build(page, "As the regulator counts");
    await expectAccessible(page, "a release");
    const evidence = page.getByRole("region", { name: "Evidence, check by check" });
    for (const fact of ["Type check", "Input contract", "Order and batches", "Same bytes"])
      await expect(evidence).toContainText(fact);
    await expect(page.getByRole("button", { name: "Promote to production" })).toBeDisabled();
    await expect(page.getByText(/production asks for 1 approval/)).toBeVisible();

    await page.getByRole("button", { name: "Promote to staging" }).click();
    await expect(page.getByText(/It runs in staging/)).toBeVisible();
    const [last = ""] = workbench.git("log", "--format=%s").split("\n");
    expect(last).toMatch(/staging/);
    expect(workbench.git("show", "--stat", "--format=", "HEAD")).toContain(
      "environments/staging.yaml",
    );
    expect(workbench.git("status", "--porcelain")).toBe("");
  });

  test("production takes it once it is approved, and not before", async ({ page, workbench }) => {
    await openNewest(page);
    await expect(page.getByRole("button", { name: "Approve for production" })).toBeDisabled();
    await page
      .getByRole("textbox", { name: "Reason, kept with the approval" })
      .fill("Seen in staging.");
    for (const finding of await page.getByRole("checkbox").all()) await finding.check();
    await page.getByRole("button", { name: "Approve for production" }).click();
    await expect(page.getByText("1 of 1 given")).toBeVisible();
    await page.getByRole("button", { name: "Promote to production" }).click();
    await expect(page.getByText(/It runs in staging and production/)).toBeVisible();
    expect(workbench.git("log", "-1", "--format=%s")).toMatch(/production/);
    expect(workbench.git("ls-files", "releases")).toMatch(/approvals\/.+\.json/);
  });

  test("a second release is held against the first, and rolls back in one click", async ({
    page,
    workbench,
  }) => {
    execFileSync(
      "sed",
      ["-i", "s/shortestMiles = 100/shortestMiles = 200/", "notebooks/delays.ts"],
      {
        cwd: workbench.root,
      },
    );
    await build(page, "Short hops are out");
    const evidence = page.getByRole("region", { name: "Evidence, check by check" });
    await expect(evidence).toContainText(
      /rows? (are|would be)? ?(removed|disappear)|[\d,]+ removed/i,
    );
    await page.getByRole("button", { name: "Promote to staging" }).click();
    await expect(page.getByText(/It runs in staging/)).toBeVisible();
    await page
      .getByRole("button", { name: /^Roll back/ })
      .first()
      .click();
    await expect.poll(() => workbench.git("log", "-1", "--format=%s")).toMatch(/[Rr]oll/);
    await expectAccessible(page, "a release rolled back");
    await go(page, "Releases");
    await expect(page.getByRole("link", { name: /delays/ }).first()).toBeVisible();
    await expectAccessible(page, "releases");
  });
}

async function build(page: Page, message: string): Promise<void> {
  await go(page, "Notebooks");
  await page.getByRole("main").getByRole("link", { name: "delays.ts" }).click();
  const promote = page.getByRole("main").getByRole("link", { name: /^Promote/ });
  await expect(promote).toHaveAttribute("href", /transform=delays/);
  await promote.click();
  await page.getByRole("textbox", { name: "Message" }).fill(message);
  await expectAccessible(page, "a new release");
  await page.getByRole("button", { name: /^Build release/ }).click();
  await expect(page).toHaveURL(/\/releases\/delays\/[0-9a-f]{12,}/);
  await expect(page.getByRole("region", { name: "Answer" })).toBeVisible();
}

async function openNewest(page: Page): Promise<void> {
  await go(page, "Releases");
  await page
    .getByRole("main")
    .getByRole("link", { name: /delays/ })
    .first()
    .click();
  await expect(page.getByRole("region", { name: "Answer" })).toBeVisible();
}
