import { api, problemOf, read } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";
import { sideChoices, type ChoiceGroup } from "./choices.ts";
import { recentOf, type RecentComparison } from "./recent.ts";

/** What the compare page offers: sides to choose, and comparisons made before. */
export class Choices {
  groups = $state.raw<ChoiceGroup[]>(sideChoices({ environments: [], releases: [] }));
  recent = $state.raw<RecentComparison[]>([]);
  notebooks = $state.raw<{ name: string; transforms: string[]; isDirty: boolean }[]>([]);
  isLoaded = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);

  async load(notebook: string | undefined, transform: string | undefined): Promise<void> {
    try {
      const [environments, releases, recent, notebooks] = await Promise.all([
        read(api.environments.$get()),
        read(api.releases.$get()),
        read(api.compare.$get({ query: {} })),
        read(api.notebooks.$get()),
      ]);
      this.groups = sideChoices({
        environments: environments.environments
          .filter(({ pipelines }) => transform !== undefined && transform in pipelines)
          .map(({ name }) => name),
        releases: releases.releases.filter((release) => release.transform === transform),
      });
      this.recent = recent.comparisons.map(recentOf);
      this.notebooks = notebooks.notebooks;
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.isLoaded = true;
  }
}
