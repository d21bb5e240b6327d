import { afterEach, beforeEach, expect, test } from "vitest";
import { freshPlace, type FixturePlace } from "../fixture.ts";
import type { Epoch } from "../order/epochs.ts";
import { openSyncState } from "../state.ts";
import { openHeldPartitions, type HeldPartitions } from "./held-partitions.ts";
import { known, statusOf } from "./status.ts";
import type { WorkerReport } from "./workers.ts";

let place: FixturePlace;
let state: ReturnType<typeof openSyncState>;
beforeEach(() => {
  place = freshPlace();
  state = openSyncState(place.statePath);
});
afterEach(() => {
  state.close();
  place.remove();
});

const id = { environment: "staging", name: "delays" };
const epoch: Epoch = {
  topic: "flights",
  incarnation: "first",
  partition: 0,
  epoch: 1024,
  release: "r",
  firstOffset: 0,
  reason: "start",
  openedAt: "2001-04-01T00:00:00Z",
  partitions: 1,
  ordering: "offset",
};

test.each<[string, (held: HeldPartitions) => void]>([
  ["another start", (held) => held.forget()],
  ["a resume", (held) => held.recall("flights")],
])(
  "after %s nobody knows how far behind a worker is until the topic's ends are asked for again, and it is starting till then",
  (_name, begin) => {
    const held = openHeldPartitions(state, id);
    const stateOf = () => known(statusOf([reportOf(held)], counts)).state;
    held.note({ kind: "assigned", epoch, offset: 5 });
    expect([held.isMeasured(), stateOf()]).toEqual([false, "starting"]);
    held.measure([{ topic: "flights", partition: 0, first: 0, end: 5 }]);
    expect([held.isMeasured(), stateOf()]).toEqual([true, "idle"]);
    begin(held);
    expect([held.isMeasured(), stateOf()]).toEqual([false, "starting"]);
  },
);

const counts = { read: 5, written: 5, filtered: 0, stale: 0, deadLettered: 0, retracted: 0 };

function reportOf(held: HeldPartitions): WorkerReport {
  return {
    ...id,
    worker: "w",
    pid: 1,
    host: "h",
    release: "r",
    topic: "flights",
    state: "running",
    backoffs: {},
    partitions: held.list(),
    isMeasured: held.isMeasured(),
    sinks: [],
    recordsPerSecond: 0,
    history: [],
    guestRestarts: 0,
  };
}
