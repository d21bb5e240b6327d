import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFileLogWriter } from "#promote/sync/embedded/file-log.ts";
import { openFileTopicReader } from "#promote/sync/embedded/file-reader.ts";
import { freshPlace, specOf } from "#promote/sync/fixture.ts";
import { openSyncState } from "#promote/sync/state.ts";
import { unwrap } from "#snapshots/problem.ts";
import { expectSameAsBatch } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { SEED } from "./faults/stage.ts";
import { openWorker } from "./faults/worker.ts";

const RECORDS = 12_000;
const BYTES = 1000;
const MB = 1 << 20;

/** A file system of its own for a process, without being root: Linux, where it lets users have namespaces. */
const canMount =
  spawnSync("unshare", [
    "--mount",
    "--map-root-user",
    "sh",
    "-c",
    "mount -t tmpfs -o size=1m none /mnt",
  ]).status === 0;

test.skipIf(!canMount)(
  "a full disk beneath the embedded sinks: the pipeline says so, goes on once there is room, and the sinks equal a batch run",
  { timeout: 600_000, retry: 0 },
  async () => {
    const place = freshPlace();
    const state = openSyncState(place.statePath);
    const { sinks, topics } = place.workspace.paths;
    mkdirSync(sinks);
    const long = "x".repeat(BYTES);
    const { records, broken } = flightsOf(seeded(SEED), {
      count: RECORDS,
      partitions: 1,
      startMs: Date.now(),
      broken: 0.001,
    });
    const log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
    unwrap(await log.append(records));
    await log.close();
    const spec = await specOf(place, {
      apply: `(f) => f.delay < -20 ? null : { ...f, destination: f.id + "${long}", late: f.delay > 15 }`,
    });

    const worker = openWorker({ root: place.root, tuning: { maxRecords: 1000, lingerMs: 0 } }, [
      "unshare",
      "--mount",
      "--map-root-user",
      "sh",
      "-c",
      `mount -t tmpfs -o size=96m none '${sinks}' && exec "$0" "$@"`,
      process.execPath,
    ]);
    /** The worker's own file system, seen from here. */
    const disk = `/proc/${worker.process.pid}/root${sinks}`;
    await worker.until(
      "its disk is mounted",
      () => statfsSync(disk).blocks * statfsSync(disk).bsize === 96 * MB,
    );
    writeFileSync(join(disk, "ballast"), Buffer.alloc(88 * MB));
    await worker.start(spec);
    const { next } = await full();
    expect(next).toBeLessThan(RECORDS);
    rmSync(join(disk, "ballast"));
    if (worker.seen().state === "halted") await worker.resume(spec);
    await worker.until("everything is committed", () => committed() === RECORDS);
    await worker.pause(spec);
    const copied = join(place.root, "copied");
    cpSync(disk, copied, { recursive: true });
    await worker.close();

    const compared = {
      place: { ...place, workspace: { ...place.workspace, paths: { topics, sinks: copied } } },
      ports: { root: place.root, folders: { topics, sinks: copied } },
      reader: openFileTopicReader(topics),
      state: () => state,
    };
    const story = `seed ${SEED}`;
    await expectSameAsBatch(compared, spec, { records: RECORDS, broken, story });
    state.close();
    place.remove();

    function committed(): number {
      const row = state.prepare("select sum(next_offset) as n from sync_offsets").get();
      return Number(row?.["n"] ?? 0);
    }

    /** Until it halts or waits, with a problem that names the disk. */
    async function full(): Promise<{ next: number }> {
      const problemOf = () => worker.seen().problem ?? Object.values(worker.seen().backoffs)[0];
      await worker.stands("it meets the full disk", () => problemOf() !== undefined);
      expect(problemOf()?.message).toMatch(/space|disk/i);
      expect(problemOf()?.hint).toMatch(/free/i);
      return { next: committed() };
    }
  },
);
