import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { freshPlace, specOf, type FixturePlace } from "./fixture.ts";
import { openSyncState } from "./state.ts";
import { openSync, type Sync } from "./sync.ts";

let place: FixturePlace;
let sync: Sync;
let failures: string[];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  place = freshPlace();
  failures = [];
  sync = openSync({ ...place, failed: (reason) => failures.push(reason) });
});
afterEach(async () => {
  await sync.close();
  place.remove();
  vi.useRealTimers();
});

test("where the state database cannot be read, that is told once, and other workers are seen again when it can", async () => {
  const elsewhere = openSync(place);
  const state = openSyncState(place.statePath);
  unwrap(await elsewhere.start(await specOf(place)));
  vi.advanceTimersByTime(3000);
  expect(sync.status()).toHaveLength(1);

  state.exec("alter table sync_workers rename to gone");
  vi.advanceTimersByTime(3000);
  expect(failures).toEqual(["Error: no such table: sync_workers"]);

  state.exec("alter table gone rename to sync_workers");
  await elsewhere.close();
  vi.advanceTimersByTime(3000);
  expect(sync.status()).toEqual([]);
  state.close();
});

test("pipelines come by environment and name, whichever was started first", async () => {
  for (const [environment, name] of [
    ["staging", "trips"],
    ["staging", "delays"],
    ["production", "trips"],
  ] as const)
    unwrap(await sync.start(await specOf(place, { environment, name, sinks: [] })));
  expect(sync.status().map(({ environment, name }) => `${environment}:${name}`)).toEqual([
    "production:trips",
    "staging:delays",
    "staging:trips",
  ]);
});
