import { list } from "../compare/verdict.ts";
import { count, counted } from "../format.ts";
import type { CheckedApproval } from "#promote/approval.ts";
import type { Plan } from "#promote/plan.ts";
import type { DiffLine } from "#promote/text-diff.ts";
import type { Fact } from "#promote/release-format.ts";

const words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** May it go on, and what is asked of me: failures first, then findings nobody has judged. */
export function verdict(facts: readonly Fact[], approvals: readonly CheckedApproval[]): string {
  const failures = facts.filter(({ status }) => status === "fail").length;
  const findings = facts.filter(({ status }) => status === "finding").length;
  if (failures > 0)
    return `${number(failures, "check fails", "checks fail")}. No environment will run this release.`;
  const judges = [
    ...new Set(approvals.filter(({ isValid }) => isValid).map(({ approval }) => approval.by)),
  ];
  if (findings === 0)
    return judges.length > 0
      ? `Everything passes, and ${list(judges)} approved it.`
      : "Everything passes.";
  if (judges.length === 0)
    return `Nothing fails. ${number(findings, "finding needs", "findings need")} your judgement.`;
  return `Nothing fails. ${number(findings, "finding was", "findings were")} judged and approved by ${list(judges)}.`;
}

/** "Three findings need": small numbers as words, as they begin a sentence. */
function number(value: number, one: string, many: string): string {
  const word = words[value] ?? String(value);
  return `${word[0]?.toUpperCase()}${word.slice(1)} ${value === 1 ? one : many}`;
}

/** Also where it would read other topics. */
export function runsThere({ change }: Pick<Plan, "change">): boolean {
  return change === "none" || change === "topics";
}

/** Where it runs, in words: "It runs in staging." */
export function whereabouts(plans: readonly Plan[]): string {
  const here = plans.filter(runsThere).map(({ environment }) => environment);
  if (here.length === 0) return "It runs nowhere yet.";
  return `It runs in ${list(here)}.`;
}

/** What a promotion would do to rows, with the denominator. */
export function rowsMoved(plan: Plan): string {
  if (runsThere(plan)) return "runs here now";
  if (plan.change === "new") return `nothing of this name runs in ${plan.environment} yet`;
  const rows = plan.diff?.rows;
  if (!rows) return "no comparison with what runs now";
  const parts = [
    rows.changed > 0 && `${count(rows.changed)} change`,
    rows.added > 0 && `${count(rows.added)} appear`,
    rows.removed > 0 && `${count(rows.removed)} disappear`,
    rows.ambiguous.keys > 0 && `${counted(rows.ambiguous.keys, "key")} cannot be told apart`,
  ].filter((part) => part !== false);
  if (parts.length === 0) return `all ${count(rows.left)} stay as they are`;
  return `${list(parts)}, of ${count(rows.left)}`;
}

/** Facts that wait for somebody first (failures, then findings), then what passes, in the order they were gathered. */
export function ranked(facts: readonly Fact[]): Fact[] {
  const rank = { fail: 0, finding: 1, pass: 2 };
  return facts
    .map((fact, index) => ({ fact, index }))
    .toSorted((a, b) => rank[a.fact.status] - rank[b.fact.status] || a.index - b.index)
    .map(({ fact }) => fact);
}

/** What changes in a file and the two lines before it, which say where: enough for a plan. */
export function changedPart(lines: readonly DiffLine[]): DiffLine[] {
  const isNear = (index: number) =>
    [0, 1, 2].some((step) => (lines[index + step]?.kind ?? "same") !== "same");
  return lines.filter((_, index) => isNear(index));
}
