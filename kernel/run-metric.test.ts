import { afterAll, afterEach, expect, test, vi } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import { temporaryWorkspace } from "#snapshots/temporary-workspace.ts";
import { bundleOf } from "./guest/fixture.ts";
import type * as slices from "./guest/slice.ts";
import { evaluateMetrics, readMetricParts, type MetricRequest } from "./run-metric.ts";

// A real guest whose answers are changed on their way, as a hostile bundle's could be.
let changed: (batch: slices.SliceBatch) => slices.SliceBatch = (batch) => batch;
vi.mock("./guest/slice.ts", async (original) => {
  const real = await original<typeof slices>();
  return {
    ...real,
    openSlice: async (spec: Parameters<typeof real.openSlice>[0]) => {
      const opened = await real.openSlice(spec);
      if (!opened.ok) return opened;
      const slice: slices.Slice = {
        ...opened.value,
        async run(batch, signal) {
          const answer = await opened.value.run(batch, signal);
          return answer.ok ? { ok: true, value: changed(answer.value) } : answer;
        },
      };
      return { ok: true, value: slice };
    },
  };
});
afterEach(() => {
  changed = (batch) => batch;
});

const home = temporaryWorkspace({});
afterAll(() => home.close());
const { store, queries } = home;
const rows = 5000;
const code = await bundleOf(
  'const flights = snapshot("flights@t"); const mean = metric.mean("mean", flights, (row) => row.delay);',
  [],
  ["mean"],
);

async function request(delay: string): Promise<MetricRequest & { only: number[] }> {
  const sql = `select range as id, ${delay} as delay from range(${rows})`;
  const { hash } = unwrap(await queries.sql({ sql, inputs: {} }));
  const table = { kind: "snapshot", name: "flights@t" } as const;
  const metrics = [{ name: "mean", table, kind: "mean" as const }];
  return { store, queries, bundle: code, metrics, table: hash, only: [0] };
}

test("every row has its parts", async () => {
  const [parts] = unwrap(await readMetricParts(await request("range % 7")));
  expect(parts?.rows).toBe(rows);
  expect(parts?.first[rows - 1]).toBe((rows - 1) % 7);
});

const lies: [what: string, lie: typeof changed][] = [
  ["no rows at all", (batch) => ({ ...batch, read: 0, rows: new Uint8Array(0) })],
  ["one row fewer", (batch) => ({ ...batch, read: batch.read - 1, rows: batch.rows.subarray(17) })],
];
test.each(lies)("a guest that answers for %s is not believed", async (what, lie) => {
  const asked = await request(`range % ${what.length}`);
  changed = lie;
  for (const read of [readMetricParts, evaluateMetrics])
    expect(await read(asked)).toMatchObject({ ok: false, problem: { code: "guest-garbage" } });
});

test("a table that was not read to its end gives no number", async () => {
  const asked = await request("range % 11");
  async function* nothing() {}
  const cut: Queries = { ...queries, read: () => nothing() };
  for (const read of [readMetricParts, evaluateMetrics])
    expect(await read({ ...asked, queries: cut })).toMatchObject({ ok: false });
});
