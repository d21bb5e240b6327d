import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Outcome } from "../ports.ts";
import type { SendBody } from "./bulk-limits.ts";
import { openBulkMerge } from "./bulk-merge.ts";
import type { Sent } from "./bulk-send.ts";

/** A server that answers each operation, a line each, with its own text. */
function answering(answer: (body: string) => Sent | undefined = () => undefined) {
  const requests: string[] = [];
  const send: SendBody = async (body, count) => {
    const text = body.toString();
    requests.push(text);
    await delay(5);
    const lines = text.trim().split("\n");
    expect(lines).toHaveLength(count);
    return (
      answer(text) ?? {
        kind: "answered",
        outcomes: lines.map((line): Outcome => ({ kind: "reject", reason: line })),
      }
    );
  };
  return { requests, send };
}

const reasons = (sent: Sent): unknown =>
  sent.kind === "answered"
    ? sent.outcomes.map((outcome) => (outcome.kind === "reject" ? outcome.reason : outcome.kind))
    : sent.kind;

test("what comes while a request is on its way goes as one, and each part gets its own outcomes", async () => {
  const { requests, send } = answering();
  const merged = openBulkMerge({ bytes: 1000, count: 100 }, send);
  const texts = ["a\n", "b\nc\n", "d\n", "e\nf\ng\n"];
  const sent = await Promise.all(texts.map((text) => merged(Buffer.from(text), text.length / 2)));
  expect(sent.map(reasons)).toEqual([["a"], ["b", "c"], ["d"], ["e", "f", "g"]]);
  expect(requests).toEqual(["a\n", "b\nc\nd\ne\nf\ng\n"]);
});

test("no request grows beyond its limits, and a full one does not wait", async () => {
  const { requests, send } = answering();
  const merged = openBulkMerge({ bytes: 1000, count: 3 }, send);
  const texts = ["a\n", "b\nc\n", "d\ne\n", "f\ng\nh\n", "i\n"];
  const asked = texts.map((text) => merged(Buffer.from(text), text.length / 2));
  expect(requests).toEqual(["a\n", "b\nc\n", "d\ne\n", "f\ng\nh\n"]);
  expect((await Promise.all(asked)).map(reasons)).toEqual(
    texts.map((text) => text.trim().split("\n")),
  );
});

test("a refused whole says nothing about its parts: each goes alone, and later wholes are smaller", async () => {
  const limits = { bytes: 1 << 20, count: 1000 };
  const big = `${"x".repeat(100_000)}\n`;
  const { requests, send } = answering((body) =>
    body.length > 150_000 ? { kind: "split", isTooLarge: true, reason: "too large" } : undefined,
  );
  const merged = openBulkMerge(limits, send);
  const asked = ["a\n", big, big, "b\n"].map((text) => merged(Buffer.from(text), 1));
  expect((await Promise.all(asked)).map(reasons)).toEqual([
    ["a"],
    [big.trim()],
    [big.trim()],
    ["b"],
  ]);
  expect(requests.map((body) => body.length)).toEqual([2, 200_004, 100_001, 100_001, 2]);
  expect(limits.bytes).toBe(100_002);
});

test("what fails for all fails for each, and what is thrown reaches all; the next goes on", async () => {
  const outcome: Outcome = { kind: "halt", problem: { code: "c", message: "m" } };
  const { send } = answering((body) => {
    if (body.includes("lost")) throw new Error("lost");
    return body.includes("down") ? { kind: "failed", outcome } : undefined;
  });
  const merged = openBulkMerge({ bytes: 1000, count: 100 }, send);
  const first = merged(Buffer.from("a\n"), 1);
  const down = ["down\n", "b\n"].map((text) => merged(Buffer.from(text), 1));
  expect(reasons(await first)).toEqual(["a"]);
  const lost = ["lost\n", "c\n"].map((text) => merged(Buffer.from(text), 1));
  expect(await Promise.all(down)).toEqual([
    { kind: "failed", outcome },
    { kind: "failed", outcome },
  ]);
  for (const { status } of await Promise.allSettled(lost)) expect(status).toBe("rejected");
  expect(reasons(await merged(Buffer.from("d\n"), 1))).toEqual(["d"]);
});

test("a request of several parts is given up with any of them", async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const send: SendBody = async (_, count, signal) => {
    signals.push(signal);
    await delay(1);
    return { kind: "answered", outcomes: Array.from({ length: count }, () => ({ kind: "stale" })) };
  };
  const merged = openBulkMerge({ bytes: 1000, count: 100 }, send);
  const [one, other] = [new AbortController(), new AbortController()];
  await Promise.all(
    [undefined, one.signal, other.signal].map((signal) => merged(Buffer.from("a\n"), 1, signal)),
  );
  expect(signals[0]).toBeUndefined();
  other.abort();
  expect(signals[1]?.aborted).toBe(true);
});
