import { readFileSync, realpathSync, rmSync } from "node:fs";
import type {
  CausesResult,
  CauseSearch,
  DiffPage,
  DiffPairing,
  DiffRequest,
  DiffRowsRequest,
  DiffSide,
  DiffSummary,
  DifferenceCounts,
  DifferenceFilter,
  DifferenceSet,
  KeptDifferences,
  RowIdentity,
} from "./diff.ts";
import type { ProfilePair } from "./diff-profile.ts";
import { badFileName } from "./file-pattern.ts";
import { sendWhole } from "./output-file.ts";
import type { Pool } from "./pool.ts";
import { fail, ok, type Result } from "./problem.ts";
import type { FilterInput, SetInput, SideInput, Sides, TableFile } from "./protocol.ts";
import { describeFile } from "./source-file.ts";
import type { ContentStore } from "./store.ts";
import type { TableHash } from "./table.ts";

/** What is asked of two sides. What differs is found once, in one worker, and looked up from then on. */
export type DiffQueries = {
  /** Counts what differs between two sides, and shows some of it. */
  diff(request: DiffRequest): Promise<Result<DiffSummary>>;
  /** A page of what differs; the first one of a pairing finds the differences, the next ones look them up. */
  diffRows(request: DiffRowsRequest & { signal?: AbortSignal }): Promise<Result<DiffPage>>;
  /** Keeps the names of the differences a filter leaves. */
  diffSet(
    request: DiffPairing &
      DifferenceFilter & { input?: TableHash; identity: RowIdentity; signal?: AbortSignal },
  ): Promise<Result<KeptDifferences>>;
  /** How many of what differs differed in sets already; `groups` are counted each by itself. */
  diffSince(
    request: DiffPairing & {
      input?: TableHash;
      groups: DifferenceSet[][];
      since?: DifferenceSet;
      signal?: AbortSignal;
    },
  ): Promise<Result<DifferenceCounts>>;
  /** Every differing row into a file, its folder being there; how many they are. */
  diffExport(
    request: DiffPairing & {
      /** As for the causes, so that nothing is found twice. */
      input?: TableHash;
      out: string;
      format: "parquet" | "csv";
      signal?: AbortSignal;
      onProgress?: (fraction: number) => void;
    },
  ): Promise<Result<{ rows: number }>>;
  /** What explains the differences. */
  diffCauses(
    request: DiffPairing & CauseSearch & { signal?: AbortSignal },
  ): Promise<Result<CausesResult>>;
  /** A column of both sides at a glance. */
  diffProfile(
    request: DiffPairing & { column: string; signal?: AbortSignal },
  ): Promise<Result<ProfilePair>>;
};

export function openDiffQueries(
  pool: Pool,
  store: ContentStore,
  tableFile: (hash: TableHash) => Result<TableFile>,
): DiffQueries {
  function sideInput(side: DiffSide): Result<SideInput> {
    if (side.kind === "file") return fileSide(side);
    const table = tableFile(side.hash);
    return table.ok ? ok({ kind: "table", table: table.value }) : table;
  }

  function sidesOf(
    { left, right, ...pairing }: DiffPairing,
    input: TableHash | undefined,
  ): Result<Sides & { input?: TableFile }> {
    const [l, r] = [sideInput(left), sideInput(right)];
    if (!l.ok) return l;
    if (!r.ok) return r;
    const sides = { left: l.value, right: r.value, pairing };
    if (input === undefined) return ok(sides);
    const table = tableFile(input);
    return table.ok ? ok({ ...sides, input: table.value }) : table;
  }

  function setInput(set: DifferenceSet): SetInput {
    return set.kind === "set" ? { ...set, path: store.blobPath(set.hash) } : set;
  }

  /** What is compared with what, and which of the differences. */
  function split(request: DiffPairing & DifferenceFilter): [DiffPairing, FilterInput] {
    const { kind, column, values, cause, sets, ...pairing } = request;
    const loaded = sets?.map(({ of, test }) => ({ of: of.map(setInput), test }));
    return [pairing, defined({ rows: kind, column, values, cause, sets: loaded })];
  }

  return {
    async diff({ signal, onProgress, samples, budgetMs, stopAfter, input, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      return pool.call<"diff">(
        { kind: "diff", ...sides.value, ...defined({ samples, budgetMs, stopAfter }) },
        { signal, onProgress },
      );
    },

    async diffRows({ signal, input, offset, limit, identity, ...request }) {
      const [pairing, filter] = split(request);
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      return pool.call<"diffRows">(
        { kind: "diffRows", ...sides.value, ...filter, ...defined({ identity }), offset, limit },
        { signal },
      );
    },

    async diffSet({ signal, input, identity, ...request }) {
      const [pairing, filter] = split(request);
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      const made = await pool.call<"diffSet">(
        { kind: "diffSet", ...sides.value, ...filter, identity },
        { signal },
      );
      if (!made.ok) return made;
      try {
        const hash = store.putBlob(readFileSync(made.value.path));
        return ok({ hash, rows: made.value.rows });
      } finally {
        rmSync(made.value.path, { force: true });
      }
    },

    async diffSince({ signal, input, groups, since, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      return pool.call<"diffSince">(
        {
          kind: "diffSince",
          ...sides.value,
          groups: groups.map((sets) => sets.map(setInput)),
          ...(since ? { since: setInput(since) } : {}),
        },
        { signal },
      );
    },

    async diffExport({ signal, onProgress, input, out, format, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      const made = await pool.call<"diffExport">(
        { kind: "diffExport", ...sides.value, format },
        { signal, onProgress },
      );
      if (!made.ok) return made;
      const problem = await sendWhole(made.value.path, out);
      rmSync(made.value.path, { force: true });
      return problem ? fail(problem) : ok({ rows: made.value.rows });
    },

    async diffCauses({ signal, input, budgetMs, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      return pool.call<"diffCauses">(
        { kind: "diffCauses", ...sides.value, ...defined({ budgetMs }) },
        { signal },
      );
    },

    async diffProfile({ signal, column, ...pairing }) {
      const sides = sidesOf(pairing, undefined);
      if (!sides.ok) return sides;
      return pool.call<"diffProfile">({ kind: "diffProfile", ...sides.value, column }, { signal });
    },
  };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

/** A file as it is now: changed, it is another. */
function fileSide(side: Extract<DiffSide, { kind: "file" }>): Result<SideInput> {
  try {
    const path = realpathSync(side.path);
    const { size, changedAt, isFile } = describeFile(path);
    const isPattern = side.format !== "duckdb" && side.format !== "arrow";
    const bad = isPattern ? badFileName(path) : undefined;
    if (isFile) return bad ? fail(bad) : ok({ ...side, path, stamp: `${size} ${changedAt}` });
  } catch {
    // Said below: there is no such file.
  }
  return fail({
    code: "no-such-file",
    message: `${side.path} is not a file that can be read.`,
    hint: "Check the path; a folder of files cannot be compared.",
  });
}
