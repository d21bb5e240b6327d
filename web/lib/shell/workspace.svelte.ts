import { api, problemOf, read } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";

export type NotebookEntry = { name: string; path: string; isDirty?: boolean };
export type RailCount = { value: number; title: string; attend?: boolean };

/** What the rail shows on every page: the workspace's name, its notebooks, and how many of each thing there are. */
class Workspace {
  name = $state("");
  person = $state("");
  notebooks = $state.raw<NotebookEntry[]>([]);
  counts = $state.raw<Record<string, RailCount | undefined>>({});
  isLoaded = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);

  async load(): Promise<void> {
    try {
      const [info, list] = await Promise.all([
        read(api.workspace.$get()),
        read(api.notebooks.$get()),
      ]);
      this.name = info.name;
      this.notebooks = list.notebooks;
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.isLoaded = true;
  }
}

export const workspace = new Workspace();
