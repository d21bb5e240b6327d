import type { Command } from "./commands.svelte.ts";

export type Match = { command: Command; parts: { text: string; isHit: boolean }[]; score: number };

/** The commands whose title or kind holds every word of the query, best first; with the hits to set in bold. */
export function matches(commands: readonly Command[], query: string): Match[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Match[] = [];
  for (const command of commands) {
    const title = command.title.toLowerCase();
    const isFound = words.every((word) => `${title} ${command.kind ?? ""}`.includes(word));
    if (!isFound) continue;
    found.push({ command, parts: marked(command.title, words), score: scored(title, words) });
  }
  return words.length === 0 ? found : found.toSorted((a, b) => b.score - a.score);
}

function scored(title: string, words: string[]): number {
  let score = 0;
  for (const word of words) {
    const at = title.indexOf(word);
    if (at === 0) score += 3;
    else if (at > 0 && /\W/.test(title[at - 1] ?? "")) score += 2;
    else if (at > 0) score += 1;
  }
  return score - title.length / 1_000;
}

function marked(title: string, words: string[]): Match["parts"] {
  if (words.length === 0) return [{ text: title, isHit: false }];
  const pattern = new RegExp(
    `(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`,
    "i",
  );
  return title
    .split(pattern)
    .filter((text) => text !== "")
    .map((text) => ({ text, isHit: words.includes(text.toLowerCase()) }));
}
