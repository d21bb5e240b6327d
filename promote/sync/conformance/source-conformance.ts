import { expect, test } from "vitest";
import type { NewRecord } from "../embedded/frames.ts";
import type { PollRequest, Source, SourceEvent, SourceRecord } from "../ports.ts";

/** What an adapter brings to the suite: a fresh topic, a way to write it, and sources on it. */
export type SourceHarness = {
  open(): Promise<Source>;
  append(records: readonly NewRecord[]): Promise<void>;
  /** Deletes the topic and makes it again under its name. */
  recreate(): Promise<void>;
  close(): Promise<void>;
};

/** Cases an adapter may leave out, each with its reason in the adapter's test. */
export type Skips = Partial<Record<string, string>>;

/** The conformance suite of the `Source` port. Call it inside a `describe`. */
export function sourceConformance(
  makeHarness: () => Promise<SourceHarness>,
  skips: Skips = {},
): void {
  const check = (name: string, body: (harness: SourceHarness) => Promise<void>): void => {
    test.skipIf(skips[name] !== undefined)(name, async () => {
      const harness = await makeHarness();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });
  };

  check(
    "gives every record once, in offset order, with its key, value, time and headers",
    async (h) => {
      const headers = [
        { key: "trace", value: new Uint8Array([0, 255]) },
        { key: "trace", value: new Uint8Array() },
      ];
      await h.append([text("a", "1", 5), { ...text("b", "2", 6), headers }]);
      await h.append([
        { key: new Uint8Array([1, 2]), value: null, timestampMs: 7 },
        { key: null, value: new Uint8Array(), timestampMs: 8 },
      ]);
      const source = await h.open();
      const records = await take(source, 4);
      expect(records.map((r) => [bytes(r.key), bytes(r.value), r.timestampMs])).toEqual([
        ["61", "31", 5],
        ["62", "32", 6],
        ["0102", null, 7],
        [null, "", 8],
      ]);
      expect(records[1]?.headers.map((header) => [header.key, bytes(header.value)])).toEqual([
        ["trace", "00ff"],
        ["trace", ""],
      ]);
      expect(increasing(records)).toBe(true);
      await source.close();
    },
  );

  check("follows a topic while it grows, and says idle when there is nothing", async (h) => {
    const source = await h.open();
    await h.append([text("a", "1")]);
    expect(await take(source, 1)).toHaveLength(1);
    expect((await source.poll({ ...POLL, waitMs: 0 })).kind).toBe("idle");
    await h.append([text("b", "2")]);
    expect((await take(source, 1)).map((r) => bytes(r.key))).toEqual(["62"]);
    await source.close();
  });

  check("holds to maxRecords and says where to go on", async (h) => {
    await h.append(numbered(100));
    const source = await h.open();
    const seen: SourceRecord[] = [];
    while (seen.length < 100) {
      const event = await next(source, "records", { ...POLL, maxRecords: 7 });
      expect(event.delivery.records.length).toBeLessThanOrEqual(7);
      seen.push(...event.delivery.records);
      expect(event.delivery.next).toBeGreaterThan(seen.at(-1)?.offset ?? -1);
    }
    expect(new Set(seen.map((r) => r.offset)).size).toBe(100);
    await source.close();
  });

  check("goes on from a sought offset, backwards and forwards", async (h) => {
    await h.append(numbered(50));
    const source = await h.open();
    const all = await take(source, 50);
    const tenth = all[10]?.offset ?? -1;
    source.seek(TOPIC_OF.get(source) ?? "", 0, tenth);
    expect((await take(source, 40)).map((r) => r.offset)).toEqual(
      all.slice(10).map((r) => r.offset),
    );
    await source.close();
  });

  check("remembers a commit for the next worker", async (h) => {
    await h.append(numbered(10));
    const first = await h.open();
    const event = await next(first, "records");
    await first.commit([
      {
        topic: event.delivery.topic,
        partition: event.delivery.partition,
        next: event.delivery.next,
      },
    ]);
    await first.close();
    const second = await h.open();
    const assigned = await next(second, "assigned");
    expect(assigned.partitions[0]?.committed).toBe(event.delivery.next);
    await second.close();
  });

  check("gives again what was not committed", async (h) => {
    await h.append(numbered(10));
    const first = await h.open();
    await take(first, 10);
    await first.close();
    const second = await h.open();
    expect(await take(second, 10)).toHaveLength(10);
    await second.close();
  });

  check("a paused partition gives nothing until it is resumed", async (h) => {
    const source = await h.open();
    await h.append([text("a", "1")]);
    const [first] = await take(source, 1);
    const only = [{ topic: TOPIC_OF.get(source) ?? "", partition: 0 }];
    source.pause(only);
    await h.append([text("b", "2")]);
    let end = 0;
    while (end < (first?.offset ?? Infinity) + 2) {
      expect((await source.poll(POLL)).kind).toBe("idle");
      end = (await source.ranges())[0]?.end ?? 0;
    }
    // It is there, and would have come by now.
    expect((await source.poll(POLL)).kind).toBe("idle");
    source.resume(only);
    expect(await take(source, 1)).toHaveLength(1);
    await source.close();
  });

  check("says how far a partition reaches", async (h) => {
    await h.append(numbered(30));
    const source = await h.open();
    const records = await take(source, 30);
    const range = (await source.ranges())[0];
    expect(range?.end).toBeGreaterThan(records.at(-1)?.offset ?? Infinity);
    expect(range?.first).toBeLessThanOrEqual(records[0]?.offset ?? -1);
    await source.close();
  });

  check("a topic made again has another incarnation", async (h) => {
    await h.append(numbered(1));
    const before = await h.open();
    const old = (await next(before, "assigned")).partitions[0]?.incarnation;
    await before.close();
    await h.recreate();
    await h.append(numbered(1));
    const after = await h.open();
    expect((await next(after, "assigned")).partitions[0]?.incarnation).not.toBe(old);
    await after.close();
  });

  check("a topic made again while it is read is given up, and read from its start", async (h) => {
    await h.append(numbered(5));
    const source = await h.open();
    let old = (await next(source, "assigned")).partitions[0]?.incarnation;
    await take(source, 5);
    // Shorter than what was read of the one before, then longer.
    for (const count of [2, 9]) {
      await h.recreate();
      await h.append(numbered(count));
      const { partitions } = await next(source, "revoked");
      expect(partitions).toEqual([{ topic: TOPIC_OF.get(source), partition: 0 }]);
      const assigned = (await next(source, "assigned")).partitions[0];
      expect(assigned?.incarnation).not.toBe(old);
      expect(assigned?.committed).toBeNull();
      old = assigned?.incarnation;
      expect((await take(source, count)).map((r) => bytes(r.key))).toEqual(
        numbered(count).map((r) => bytes(r.key)),
      );
    }
    await source.close();
  });
}

const POLL: PollRequest = { maxRecords: 1000, maxBytes: 1 << 20, waitMs: 200 };
const TOPIC_OF = new WeakMap<Source, string>();

const PATIENCE_MS = 60_000;

/** Fails after a while with what came instead: polls that answer at once leave no room for the test's own timeout. */
async function next<K extends SourceEvent["kind"]>(
  source: Source,
  kind: K,
  request = POLL,
): Promise<Extract<SourceEvent, { kind: K }>> {
  const until = performance.now() + PATIENCE_MS;
  const others = new Set<string>();
  while (performance.now() < until) {
    const event = await source.poll(request);
    if (event.kind === "assigned") TOPIC_OF.set(source, event.partitions[0]?.topic ?? "");
    if (event.kind === kind) return event as Extract<SourceEvent, { kind: K }>; // the kind was just compared
    if (event.kind === "halt") throw new Error(event.problem.message);
    others.add(event.kind === "retryAfter" ? event.problem.message : event.kind);
  }
  throw new Error(`no ${kind} came in ${PATIENCE_MS} ms, but ${[...others].join(", ")}`);
}

async function take(source: Source, count: number): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  while (records.length < count) records.push(...(await next(source, "records")).delivery.records);
  return records;
}

function numbered(count: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => text(String(i), `value ${i}`));
}

function text(key: string, value: string, timestampMs = 1): NewRecord {
  return { key: Buffer.from(key), value: Buffer.from(value), timestampMs };
}

function bytes(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString("hex");
}

function increasing(records: readonly SourceRecord[]): boolean {
  return records.every(
    (record, i) => i === 0 || record.offset > (records[i - 1]?.offset ?? Infinity),
  );
}
