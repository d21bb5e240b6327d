/** A worker of a group, to be killed: says what it handled, a line each `partition offset`, and commits after each delivery. */
import { openSource } from "./kafka-fixture.ts";

const [topic = "", group = ""] = process.argv.slice(2);
const source = await openSource({ topics: [topic], group, sessionTimeoutMs: 6000 });
for (;;) {
  const event = await source.poll({ maxRecords: 20, maxBytes: 1 << 20, waitMs: 100 });
  if (event.kind === "halt") throw new Error(event.problem.message);
  if (event.kind !== "records") continue;
  const { partition, records, next } = event.delivery;
  process.stdout.write(records.map(({ offset }) => `${partition} ${offset}\n`).join(""));
  await source.commit([{ topic, partition, next }]);
}
