import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { collect } from "../fixture.ts";
import { versionOf } from "../order/version.ts";
import { openRowLedger, type LedgerCounts, type LedgerRow } from "./row-ledger.ts";

type Side = { partition?: number; epoch?: number; offset: number; row: string | null };

/** Of one identity. */
function rowOf({ partition = 0, epoch = 1024, offset, row }: Side): LedgerRow {
  const version = versionOf(epoch, offset, row === null ? 0 : 1);
  return { key: "[7]", part: 0, version, topic: "t", partition, offset, row };
}

const NONE = { left: 0, right: 1, equal: 0, changed: 0, added: 0, removed: 0, unverifiable: 0 };

const cases: [
  what: string,
  recorded: Side | undefined,
  found: Side & { isOld: boolean },
  counts: Partial<LedgerCounts>,
][] = [
  [
    "from before the log's start, and there is no record of its identity",
    undefined,
    { offset: 3, row: "a", isOld: true },
    { unverifiable: 1 },
  ],
  [
    "from a gap in the log, and there is no record of its identity",
    undefined,
    { offset: 13, row: "a", isOld: false },
    { unverifiable: 1 },
  ],
  [
    "from the log's end of a gap, where there is a record",
    undefined,
    { offset: 15, row: "a", isOld: false },
    { added: 1 },
  ],
  [
    "from before the log's start, and its identity was cleared since",
    { offset: 20, row: null },
    { offset: 3, row: "a", isOld: true },
    { added: 1 },
  ],
  [
    "from before the log's start, and its identity was changed since",
    { offset: 20, row: "b" },
    { offset: 3, row: "a", isOld: true },
    { left: 1, changed: 1 },
  ],
  [
    "from before the log's start, and what is left of its identity is older, in another partition",
    { partition: 1, offset: 20, row: "b" },
    { epoch: 1025, offset: 3, row: "a", isOld: true },
    { unverifiable: 1 },
  ],
  [
    "of an epoch that is lost, and its identity was changed since, in its partition",
    { offset: 20, row: "b" },
    { epoch: 9000, offset: 3, row: "a", isOld: true },
    { left: 1, changed: 1 },
  ],
];
test.each(cases)("a row %s", async (_, recorded, { isOld, ...found }, counts) => {
  const ledger = await openRowLedger();
  if (recorded !== undefined) ledger.expect([rowOf(recorded)]);
  ledger.skip({ topic: "t", partition: 0, first: 10, next: 15 });
  ledger.find([{ ...rowOf(found), isOld }]);
  expect(await ledger.counts()).toMatchObject({ ...NONE, ...counts });
  await ledger.close();
});

test("a row that expired between the batch run's look and the sink's read is no difference; one that was lost is, whenever it would have expired after", async () => {
  const fromMs = 1_000_000_000;
  const row = fc.record({
    expiresMs: fc.integer({ min: fromMs - 300_000, max: fromMs + 7_500_000 }),
    readAfterMs: fc.nat(7_200_000),
    skewMs: fc.integer({ min: -59_999, max: 59_999 }),
    isLost: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 200 }), async (rows) => {
      const toMs = fromMs + 7_200_000;
      const made = rows.map(({ expiresMs }, offset) => {
        return { ...rowOf({ offset, row: "a" }), key: `[${offset}]`, expiresMs, isOld: false };
      });
      const isHeld = rows.map(
        ({ expiresMs, readAfterMs, skewMs, isLost }) =>
          !isLost && expiresMs > fromMs + readAfterMs + skewMs,
      );
      const ledger = await openRowLedger();
      ledger.expect(made);
      ledger.find(made.filter((_, i) => isHeld[i]));
      const counts = await ledger.counts({ fromMs, toMs });
      const lost = rows.filter(({ isLost, expiresMs }) => isLost && expiresMs > toMs + 60_000);
      expect(counts).toMatchObject({ removed: lost.length, changed: 0, added: 0 });
      expect(counts.left).toBe(counts.equal + counts.removed + counts.moving.left);
      await ledger.close();
    }),
    { numRuns: 30 },
  );
});

test("what differs comes a few at a time, however much there is, and no more than was asked for", async () => {
  const ledger = await openRowLedger();
  const rows = Array.from({ length: 10_000 }, (_, offset) => {
    return { ...rowOf({ offset, row: "a" }), key: `[${offset}]`, isOld: false };
  });
  ledger.expect(rows.map((row) => ({ ...row, row: "b" })));
  ledger.find(rows);
  await ledger.counts();
  const pieces = await collect(ledger.faults(9_000));
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(2048);
  const faults = pieces.flat();
  expect(new Set(faults.map(({ key }) => key)).size).toBe(9_000);
  expect(faults.find(({ key }) => key === "[7]")).toEqual({
    key: "[7]",
    topic: "t",
    partition: 0,
    offset: 7,
    version: String(versionOf(1024, 7, 1)),
  });
  await ledger.close();
});

test("what is compared may be larger than its memory", async () => {
  const ledger = await openRowLedger({ memoryLimit: "200MB" });
  const long = "a".repeat(1500);
  const rows = Array.from({ length: 120_000 }, (_, offset) => {
    const row = `${offset}${long}`;
    return { ...rowOf({ offset, row }), key: `[${offset}]`, isOld: false };
  });
  ledger.expect(rows);
  ledger.find(rows.map((one, i) => (i % 2 === 0 ? one : { ...one, row: long })));
  expect(await ledger.counts()).toMatchObject({ left: 120_000, equal: 60_000, changed: 60_000 });
  await ledger.close();
});

/** A small disk of its own for a process, without being root: Linux, where it lets users have namespaces. */
function onSmallDisk(disk: string, command: readonly string[]): ReturnType<typeof spawnSync> {
  const mounted = `mount -t tmpfs -o size=4m none '${disk}' && exec "$0" "$@"`;
  return spawnSync("unshare", ["--mount", "--map-root-user", "sh", "-c", mounted, ...command], {
    env: { ...process.env, TMPDIR: disk },
    encoding: "utf8",
  });
}
const mount = mkdtempSync(join(tmpdir(), "penstock-small-"));
afterAll(() => rmSync(mount, { recursive: true }));

test.skipIf(onSmallDisk(mount, ["true"]).status !== 0)(
  "a ledger that its disk has no room for says so, and leaves nothing there",
  () => {
    const ledger = JSON.stringify(new URL("row-ledger.ts", import.meta.url));
    const { stdout } = onSmallDisk(mount, [
      process.execPath,
      "--input-type=module",
      "--eval",
      `import { readdirSync } from "node:fs";
      import { noRoom, openRowLedger } from ${ledger};
      const ledger = await openRowLedger({ memoryLimit: "40MB" });
      const row = { part: 0, version: 1n, topic: "t", partition: 0, offset: 0, isOld: false };
      let problem;
      for (let i = 0; problem === undefined; i++)
        try {
          ledger.find([{ ...row, key: String(i), row: Array.from({ length: 1e4 }, Math.random).join() }]);
        } catch (cause) {
          problem = noRoom(cause) ?? String(cause);
        }
      await ledger.close();
      console.log(JSON.stringify({ code: problem.code, left: readdirSync(process.env.TMPDIR) }));`,
    ]);
    expect(JSON.parse(String(stdout))).toEqual({ code: "verify-no-room", left: [] });
  },
);
