import type { PipelineStatus } from "#promote/sync/sync.ts";

/** The parts of one pipeline's drawer, as the address bar names them. */
export const views = ["now", "partitions", "indices", "expectations", "epochs", "verify"] as const;
export type View = (typeof views)[number];

export function parseView(text: string | null): View {
  return views.find((view) => view === text) ?? "now";
}

/** One partition read by one worker beside the workspace's files: the drawer's first lines say all there is to say of them. */
export function isPlain(status: PipelineStatus, kind: string): boolean {
  return kind === "embedded" && status.partitions.length <= 1 && status.workers.length <= 1;
}
