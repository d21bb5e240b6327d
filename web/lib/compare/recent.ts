import type { Comparison } from "#promote/compare.ts";
import { notebookName } from "#promote/notebook-name.ts";
import { sideText } from "./side.ts";

/** A comparison made before, as the list shows it. */
export type RecentComparison = {
  id: string;
  href: string;
  historyHref: string;
  notebook: string;
  transform: string;
  before: string;
  after: string;
  snapshot: string;
  at: string;
  rows: { equal: number; changed: number; added: number; removed: number; ambiguous: number };
};

export function recentOf(comparison: Comparison): RecentComparison {
  const { id, at, transform, before, after, snapshot, summary } = comparison;
  const notebook = notebookName(comparison.notebook);
  const { equal, changed, added, removed, ambiguous } = summary.rows;
  return {
    id,
    at,
    notebook,
    transform,
    before: before.label,
    after: after.label,
    snapshot: snapshot.name,
    href: questionHref(comparison),
    historyHref: historyHref({ notebook, transform }),
    rows: { equal, changed, added, removed, ambiguous: ambiguous.left + ambiguous.right },
  };
}

/** Where the same is asked again, of what both sides are now. */
export function questionHref({ notebook, transform, before, after }: Comparison): string {
  const address = {
    notebook: notebookName(notebook),
    transform,
    before: sideText(before.version),
    after: sideText(after.version),
  };
  return `/compare?${new URLSearchParams(address)}`;
}

/** Every comparison of a transform that is kept. */
export function historyHref(subject: { notebook: string; transform: string }): string {
  const { notebook, transform } = subject;
  return `/compare?${new URLSearchParams({ notebook, transform, view: "history" })}`;
}
