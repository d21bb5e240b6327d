import type { SnapshotManifest } from "#snapshots/workspace.ts";

/** What is wrong with what stands after the @. */
export function labelFault(label: string): string | undefined {
  if (label === "") return "Give it a label, such as 2001q1.";
  const odd = /[^A-Za-z0-9_.-]/u.exec(label)?.[0];
  if (odd !== undefined)
    return `${odd === " " ? "A space" : `“${odd}”`} cannot be part of a label. Use letters, digits, dot, dash and underscore.`;
  if (!/^[A-Za-z0-9]/.test(label)) return "Begin with a letter or a digit.";
  if (label.length > 100) return "At most 100 characters.";
  return undefined;
}

/** A label nobody has taken: today's date, numbered from the second of a day on. */
export function freshLabel(source: string, taken: readonly string[], today: Date): string {
  const date = today.toISOString().slice(0, 10);
  if (!taken.includes(`${source}@${date}`)) return date;
  let next = 2;
  while (taken.includes(`${source}@${date}.${next}`)) next += 1;
  return `${date}.${next}`;
}

/** "everything", "10 % by seed 42". */
export function sampleText(sample: SnapshotManifest["sample"]): string {
  if (!sample) return "everything";
  return `${Number((sample.fraction * 100).toPrecision(6))} %, seed ${sample.seed}`;
}

/** A share typed as a percentage: 10 for 0.1. Undefined where it is none. */
export function parsePercent(text: string): number | undefined {
  const match = /^\s*(\d{1,3}(?:[.,]\d{1,8})?)\s*%?\s*$/.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]?.replace(",", "."));
  return value > 0 && value <= 100 ? Number((value / 100).toPrecision(12)) : undefined;
}

/** A seed is a whole number that DuckDB takes. Undefined where it is none. */
export function parseSeed(text: string): number | undefined {
  if (!/^\s*\d{1,10}\s*$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 2 ** 31 - 1 ? value : undefined;
}
