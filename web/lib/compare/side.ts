import type { Version } from "#promote/compare.ts";

/** One side of a comparison, as the address bar and the pickers name it: `working`, `git:HEAD~1`, `environment:production`, `release:8c41d0`. */
export type Side = Version;

/** Reads what `sideText` writes; undefined for anything else. */
export function parseSide(text: string | null): Side | undefined {
  if (text === "working") return { kind: "working" };
  const at = text?.indexOf(":") ?? -1;
  if (!text || at < 0) return undefined;
  const [kind, rest] = [text.slice(0, at), text.slice(at + 1)];
  if (rest === "") return undefined;
  if (kind === "git") return { kind, revision: rest };
  if (kind === "environment") return { kind, name: rest };
  if (kind === "release") return { kind, hash: rest };
  return undefined;
}

export function sideText(side: Side): string {
  if (side.kind === "working") return "working";
  if (side.kind === "git") return `git:${side.revision}`;
  if (side.kind === "environment") return `environment:${side.name}`;
  return `release:${side.hash}`;
}

/** How a person says it: "working copy", "Git's last commit", "commit 60f59c", "what production runs". */
export function sideName(side: Side): string {
  if (side.kind === "working") return "working copy";
  if (side.kind === "environment") return `what ${side.name} runs`;
  if (side.kind === "release") return `release ${side.hash.slice(0, 6)}`;
  if (side.revision === "HEAD") return "Git’s last commit";
  return /^[0-9a-f]{40}$/.test(side.revision)
    ? `commit ${side.revision.slice(0, 7)}`
    : side.revision;
}
