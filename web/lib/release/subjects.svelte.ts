import { api, problemOf, read } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";

export type Subject = { notebook: string; transform: string; isDirty: boolean };

/** Every transform in the workspace's notebooks: what can be built. */
export class Subjects {
  all = $state.raw<Subject[]>([]);
  isLoaded = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);

  async load(): Promise<void> {
    try {
      const { notebooks } = await read(api.notebooks.$get());
      this.all = notebooks.flatMap(({ name, transforms, isDirty }) =>
        transforms.map((transform) => ({ notebook: name, transform, isDirty })),
      );
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.isLoaded = true;
  }
}
