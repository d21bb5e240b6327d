import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import {
  append,
  closeFixture,
  freshName,
  freshTopic,
  nextAssigned,
  numbered,
  openSource,
  pollUntil,
} from "./kafka-fixture.ts";

const children: ChildProcess[] = [];

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await closeFixture();
});

test("the partitions of a killed worker come to the other from where it committed; every record is handled, and kafkajs says nothing on the terminal", async () => {
  const topic = await freshTopic(4);
  const group = freshName("group");
  await append(topic, numbered(0, 2000, 4));
  const handled = new Set<string>();
  let repeated = 0;
  const handle = (place: string): void => {
    if (handled.has(place)) repeated++;
    handled.add(place);
  };
  const child = spawn(process.execPath, ["test/servers/kafka-worker.ts", topic, group], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let complaints = "";
  child.stderr.on("data", (data: Buffer) => (complaints += data.toString()));
  const fromChild = new Set<string>();
  createInterface({ input: child.stdout }).on("line", (place) => {
    handle(place);
    fromChild.add(place.split(" ")[0] ?? "");
  });
  while (handled.size < 2000) await once(child.stdout, "data");
  const source = await openSource({ topics: [topic], group, sessionTimeoutMs: 6000 });
  const mine = new Set((await nextAssigned(source)).map(({ partition }) => String(partition)));
  expect(mine.size).toBe(2);
  fromChild.clear();
  let isKilled = false;
  await append(topic, numbered(2000, 20_000, 4));
  await pollUntil(
    source,
    async (event) => {
      if (event.kind === "records") {
        const { partition, records, next } = event.delivery;
        for (const { offset } of records) handle(`${partition} ${offset}`);
        await source.commit([{ topic, partition, next }]);
      }
      if (!isKilled && fromChild.size > 0) {
        isKilled = true;
        child.kill("SIGKILL");
      }
      return isKilled && handled.size >= 20_000;
    },
    60_000,
  );
  expect(isKilled).toBe(true);
  expect([...fromChild].filter((partition) => mine.has(partition))).toEqual([]);
  expect(handled.size).toBe(20_000);
  // At most the deliveries whose commits the kill came before.
  expect(repeated).toBeLessThanOrEqual(40);
  expect(complaints).toBe("");
  await source.close();
});
