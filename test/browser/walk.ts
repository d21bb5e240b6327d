import { test as base, expect, type Locator, type Page } from "@playwright/test";
import { makeWorkbench, type Workbench } from "./workbench.ts";

/**
 * Every step of the walk gets the one workspace the whole file shares, and a page of its own that has come in by the printed
 * address. A page that throws, or whose content policy stops something, fails its step.
 */
export const test = base.extend<object, { workbench: Workbench }>({
  workbench: [
    async ({}, use) => {
      const workbench = makeWorkbench();
      await workbench.start();
      await use(workbench);
      await workbench.remove();
    },
    { scope: "worker", timeout: 300_000 },
  ],
  page: async ({ page, workbench }, use) => {
    const troubles: string[] = [];
    page.on("pageerror", (error) => troubles.push(String(error.stack ?? error)));
    page.on("console", (message) => {
      if (/Content.Security.Policy/i.test(message.text())) troubles.push(message.text());
    });
    await page.goto(workbench.url());
    await use(page);
    expect(troubles, "what the page's console complained of").toEqual([]);
  },
});

export { expect };

/** Goes to one of the workbench's pages as a user does: by the rail. */
export async function go(page: Page, title: string): Promise<void> {
  await page
    .getByRole("navigation", { name: "Workspace" })
    .getByRole("link", { name: new RegExp(`^${title}`) })
    .first()
    .click();
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
}

/** 1477911 → "1,477,911", as the pages write it. */
export function count(value: number): string {
  return new Intl.NumberFormat("en").format(value);
}

/** The first whole number in an element's text: "14,346 changed" → 14346. */
export async function numberIn(element: Locator, pattern: RegExp = /([\d,]+)/): Promise<number> {
  const text = (await element.textContent()) ?? "";
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`No number like ${pattern} in “${text}”.`);
  return Number(found.replaceAll(",", ""));
}
