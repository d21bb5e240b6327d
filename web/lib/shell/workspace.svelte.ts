import { api, problemOf, read } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";

export type NotebookEntry = {
  name: string;
  path: string;
  modifiedAt: string;
  sizeBytes: number;
  /** As the saved file defines them. */
  transforms: string[];
  isOpen: boolean;
  isDirty: boolean;
};
export type RailCount = { value: number; title: string; attend?: boolean };

/** What the rail shows on every page: the workspace's name, its notebooks, and how many of each thing there are. */
class Workspace {
  name = $state("");
  person = $state("");
  notebooks = $state.raw<NotebookEntry[]>([]);
  snapshots = $state(0);
  isLoaded = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);
  /** What is wrong with the workspace's own files: sources and manifests that cannot be read. */
  problems = $state.raw<Problem[]>([]);
  counts = $derived<Record<string, RailCount | undefined>>({
    "/notebooks": some(this.notebooks.length, "notebooks"),
    "/snapshots": some(this.snapshots, "snapshots"),
  });

  async load(): Promise<void> {
    try {
      const [info, list] = await Promise.all([
        read(api.workspace.$get()),
        read(api.notebooks.$get()),
      ]);
      this.name = info.name;
      this.person = info.person;
      this.snapshots = info.counts.snapshots;
      this.problems = info.problems;
      this.notebooks = list.notebooks;
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.isLoaded = true;
  }

  /** An open notebook knows first that it was edited. */
  markDirty(name: string, isDirty: boolean): void {
    if (this.notebooks.find((each) => each.name === name)?.isDirty === isDirty) return;
    this.notebooks = this.notebooks.map((each) =>
      each.name === name ? { ...each, isDirty } : each,
    );
  }
}

function some(value: number, what: string): RailCount | undefined {
  return value > 0 ? { value, title: `${value} ${what}` } : undefined;
}

export const workspace = new Workspace();
