import { expect, test } from "vitest";
import { inTurn } from "./turns.ts";

test("work waits for its turn, in order; who gives up waiting leaves the queue; what throws gives its turn on", async () => {
  const of = {};
  const order: string[] = [];
  const hold = Promise.withResolvers<void>();
  const held = Array.from({ length: 4 }, (_, i) =>
    inTurn(of, undefined, async () => {
      order.push(`held ${i}`);
      await hold.promise;
      if (i === 0) throw new Error("broken");
    }).catch(() => order.push("broken")),
  );
  const leaving = new AbortController();
  const left = inTurn(of, leaving.signal, async () => order.push("left"));
  const last = inTurn(of, undefined, async () => order.push("last"));
  leaving.abort();
  expect(await left).toBeUndefined();
  expect(order).not.toContain("held 3");
  hold.resolve();
  await Promise.all([...held, last]);
  expect(order.filter((entry) => entry !== "broken")).toEqual([
    "held 0",
    "held 1",
    "held 2",
    "held 3",
    "last",
  ]);
});

test("another's turns are its own", async () => {
  const never = new Promise<void>(() => {});
  for (let i = 0; i < 4; i++) void inTurn(never, undefined, () => never);
  expect(await inTurn({}, undefined, async () => "now")).toBe("now");
});
