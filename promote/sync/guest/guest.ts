import { openSlice, type Slice } from "#kernel/guest/slice.ts";
import { fail, ok, ProblemError, type Result } from "#snapshots/problem.ts";
import { openQueries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { Column } from "#snapshots/table.ts";
import { openGuestStage, type GuestStage } from "./guest-stage.ts";
import type { ReleaseSpec } from "../release-spec.ts";

/** How long a guest may take to load its release, for one batch, and for a piece of a batch in which poison is searched for. */
export type GuestLimits = {
  openTimeoutMs?: number;
  batchTimeoutMs?: number;
  searchTimeoutMs?: number;
};
/** Where bundles and lookups are kept, and how long a guest may take. */
export type GuestPlace = { store: ContentStore; root: string; limits?: GuestLimits };

const OPEN_TIMEOUT_MS = 120_000;
const BATCH_TIMEOUT_MS = 20_000;
const SEARCH_TIMEOUT_MS = 2_000;

type Lookups = Record<string, { by: string[]; columns: Column[]; batches: Uint8Array[] }>;

/** The guest of a release: its bundle, its contracts, its lookups out of the content store. Lookups are read once. */
export function openReleaseGuest(release: ReleaseSpec, place: GuestPlace): GuestStage {
  const {
    openTimeoutMs = OPEN_TIMEOUT_MS,
    batchTimeoutMs = BATCH_TIMEOUT_MS,
    searchTimeoutMs = SEARCH_TIMEOUT_MS,
  } = place.limits ?? {};
  let lookups: Lookups | undefined;
  return openGuestStage({
    async open(signal) {
      if (lookups === undefined) {
        const read = await readLookups(release, place);
        if (!read.ok) return read;
        lookups = read.value;
      }
      return openGuest(release, lookups, openTimeoutMs, signal);
    },
    maxParts: release.maxParts,
    batchTimeoutMs,
    searchTimeoutMs,
    random: Math.random,
  });
}

function openGuest(
  release: ReleaseSpec,
  lookups: Lookups,
  openTimeoutMs: number,
  signal: AbortSignal,
): Promise<Result<Slice>> {
  const spec = {
    bundle: release.bundle,
    entry: { kind: "transform" as const, name: release.transform },
    input: release.input,
    output: release.output,
    lookups,
    limits: { openTimeoutMs },
  };
  return openSlice(spec, signal);
}

async function readLookups(
  release: ReleaseSpec,
  { store, root }: { store: ContentStore; root: string },
): Promise<Result<Lookups>> {
  const lookups: Lookups = {};
  const named = Object.entries(release.lookups);
  if (named.length === 0) return ok(lookups);
  const queries = openQueries({ store, workspaceRoot: root, workers: 1 });
  try {
    for (const [name, { by, table }] of named) {
      const info = store.tableInfo(table);
      if (info === undefined) return fail(missing(name, table));
      const batches: Uint8Array[] = [];
      for await (const batch of queries.read({ table })) batches.push(batch);
      lookups[name] = { by, columns: info.columns, batches };
    }
    return ok(lookups);
  } catch (cause) {
    if (cause instanceof ProblemError) return fail(cause.problem);
    throw cause;
  } finally {
    await queries.close();
  }
}

function missing(name: string, table: string) {
  return {
    code: "lookup-missing",
    message: `The release's lookup \`${name}\` (table ${table.slice(0, 12)}…) is not in the content store.`,
    hint: "Freeze and run the notebook again on this machine, or copy the workspace's .penstock/store here.",
  };
}
