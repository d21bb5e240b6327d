import { freshPlace, specOf } from "#promote/sync/fixture.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openMeter, type Measured } from "./meter.ts";
import { serveSide } from "./side.ts";
import type { Task } from "./task.ts";

/** A pipeline as a worker runs it, with a real guest. */
async function run(task: Task, onFirst: () => void): Promise<Measured> {
  const { kafka, cassandra, elasticsearch, topic, name } = task;
  const place = freshPlace();
  const meter = openMeter(task.warm, task.total, onFirst);
  const sync = openSync({
    ...place,
    observe: (_, event) => {
      if (event.kind === "committed")
        meter.finished(event.piece.records.map(({ timestampMs }) => timestampMs));
      if (event.kind === "state" && event.problem !== undefined)
        meter.fail(new Error(event.problem.message));
    },
  });
  try {
    const spec = await specOf(place, {
      environment: "bench",
      name,
      topic,
      where: { kind: "servers", kafka, cassandra, elasticsearch },
      sinks: task.to === "topic" ? [{ topic: name }] : ["table", "search"],
    });
    unwrap(await sync.start(spec));
    return await meter.done;
  } finally {
    await sync.close();
    place.remove();
  }
}

serveSide(run);
