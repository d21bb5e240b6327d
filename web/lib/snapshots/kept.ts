import type { SnapshotManifest, Source } from "#snapshots/workspace.ts";

/** What the snapshots take on disk: tables of equal content are kept once. */
export function keptBytes(snapshots: readonly SnapshotManifest[]): number {
  const tables = new Map(snapshots.map(({ hash, sizeBytes }) => [hash, sizeBytes]));
  return [...tables.values()].reduce((sum, size) => sum + size, 0);
}

/** Names of sources whose file is gone while snapshots of them still stand. */
export function goneSources(
  snapshots: readonly SnapshotManifest[],
  sources: readonly Source[],
): string[] {
  const known = new Set(sources.map(({ name }) => name));
  return [...new Set(snapshots.map(({ source }) => source))].filter((name) => !known.has(name));
}
