import { api, problemOf, read } from "../client.ts";
import { workspace } from "../shell/workspace.svelte.ts";
import { goneSources, keptBytes } from "./kept.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { SnapshotManifest, Source } from "#snapshots/workspace.ts";

/** Sources and what was frozen from them, as the workspace's files say now. */
export class SnapshotList {
  sources = $state.raw<Source[]>([]);
  snapshots = $state.raw<SnapshotManifest[]>([]);
  problems = $state.raw<Problem[]>([]);
  isLoaded = $state(false);
  failure = $state.raw<Problem | undefined>(undefined);
  names = $derived(this.snapshots.map(({ name }) => name));
  keptBytes = $derived(keptBytes(this.snapshots));
  orphans = $derived(goneSources(this.snapshots, this.sources));

  async load(): Promise<void> {
    try {
      const [sources, snapshots] = await Promise.all([
        read(api.sources.$get()),
        read(api.snapshots.$get()),
      ]);
      this.sources = sources.sources;
      this.snapshots = snapshots.snapshots;
      this.problems = [...sources.problems, ...snapshots.problems];
      this.failure = undefined;
      void workspace.load();
    } catch (error) {
      this.failure = problemOf(error);
    }
    this.isLoaded = true;
  }

  /** Newest first. A snapshot whose source's file is gone still stands, under the source's name. */
  of(source: string): SnapshotManifest[] {
    return this.snapshots
      .filter((snapshot) => snapshot.source === source)
      .toSorted((a, b) => (a.frozenAt < b.frozenAt ? 1 : -1));
  }
}
