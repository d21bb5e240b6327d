import { api, problemOf, read } from "../client.ts";
import type { HistoryEntry } from "#promote/history.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { ReleaseDetail } from "#web/api/release-detail.ts";
import { runsThere } from "./verdict.ts";

/** One release under review: what is known of it, and the acts that move it on. */
export class Review {
  detail = $state.raw<ReleaseDetail | undefined>(undefined);
  person = $state("");
  /** By environment, for those that run this release: what ran before it. */
  before = $state.raw<Record<string, HistoryEntry | undefined>>({});
  problem = $state.raw<Problem | undefined>(undefined);
  /** Which act is under way: `promote staging`, `approve`, `rollback production`. */
  busy = $state("");
  /** What went wrong, by the act it belongs to: shown beside its button. */
  faults = $state.raw<Record<string, Problem>>({});
  /** What was done here, by environment: said where it was done. */
  done = $state.raw<Record<string, string>>({});
  #abort: AbortController | undefined;

  async load(transform: string, hash: string): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const [detail, workspace] = await Promise.all([
        readDetail(transform, hash, abort.signal),
        read(api.workspace.$get()),
      ]);
      if (abort.signal.aborted) return;
      this.detail = detail;
      this.person = workspace.person;
      this.problem = undefined;
      await this.#loadBefore(detail);
    } catch (error) {
      if (!abort.signal.aborted) this.problem = problemOf(error);
    }
  }

  close(): void {
    this.#abort?.abort();
  }

  promote(environment: string): Promise<void> {
    return this.#act(`promote ${environment}`, async ({ release }) => {
      const done = await read(
        api.environments[":env"].promote.$post({
          param: { env: environment },
          json: { transform: release.transform, release: release.hash },
        }),
      );
      if (done.problem)
        throw Object.assign(new Error(done.problem.message), { problem: done.problem });
      this.done = { ...this.done, [environment]: outcome(done) };
    });
  }

  rollback(environment: string, to: string): Promise<void> {
    return this.#act(`rollback ${environment}`, async ({ release }) => {
      const done = await read(
        api.environments[":env"].rollback.$post({
          param: { env: environment },
          json: { transform: release.transform, to },
        }),
      );
      if (done.problem)
        throw Object.assign(new Error(done.problem.message), { problem: done.problem });
      this.done = { ...this.done, [environment]: outcome(done) };
    });
  }

  approve(findings: string[], reason: string): Promise<void> {
    return this.#act("approve", async ({ release }) => {
      await read(
        api.releases[":transform"][":hash"].approvals.$post({
          param: { transform: release.transform, hash: release.hash },
          json: { findings, reason },
        }),
      );
    });
  }

  async #act(name: string, run: (detail: ReleaseDetail) => Promise<void>): Promise<void> {
    const { detail } = this;
    if (!detail || this.busy !== "") return;
    this.busy = name;
    const { [name]: _, ...others } = this.faults;
    this.faults = others;
    try {
      await run(detail);
    } catch (error) {
      this.faults = { ...this.faults, [name]: problemIn(error) };
    }
    await this.load(detail.release.transform, detail.release.hash);
    this.busy = "";
  }

  async #loadBefore({ release, plans }: ReleaseDetail): Promise<void> {
    const here = plans.filter(runsThere).map(({ environment }) => environment);
    const found = await Promise.all(
      here.map(async (env) => {
        const { history } = await read(
          api.environments[":env"][":transform"].history.$get({
            param: { env, transform: release.transform },
          }),
        );
        return [
          env,
          history.find((entry) => entry.release !== release.hash && entry.evidence !== null),
        ] as const;
      }),
    );
    this.before = Object.fromEntries(found);
  }
}

function outcome({ summary, commit }: { summary: string; commit: string | null }): string {
  return commit === null ? summary : `${summary} Commit ${commit.slice(0, 7)}.`;
}

async function readDetail(
  transform: string,
  hash: string,
  signal: AbortSignal,
): Promise<ReleaseDetail> {
  const route = api.releases[":transform"][":hash"];
  const answer: unknown = await read(
    route.$get({ param: { transform, hash } }, { init: { signal } }),
  );
  // JSON carries it unchanged (texts, numbers, lists); proving that through hono's JSON types goes deeper than TypeScript does.
  return answer as ReleaseDetail;
}

/** A commit that stands though its pipeline could not follow comes with its own problem. */
function problemIn(error: unknown): Problem {
  if (error instanceof Error && "problem" in error) return error.problem as Problem;
  return problemOf(error);
}
