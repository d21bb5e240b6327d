import { afterAll, describe, expect, test } from "vitest";
import { unwrap, type Result } from "#snapshots/problem.ts";
import { bundleOf } from "./fixture.ts";
import { closeSpareGuests } from "./guest-process.ts";
import {
  openInteractive,
  type CellResult,
  type Interactive,
  type InteractiveEvent,
  type RowsRequest,
} from "./interactive.ts";
import { describeBundle } from "./slice.ts";

afterAll(closeSpareGuests);

async function withGuest<T>(
  work: (guest: Interactive, events: InteractiveEvent[], asked: RowsRequest[]) => Promise<T>,
): Promise<T> {
  const events: InteractiveEvent[] = [];
  const asked: RowsRequest[] = [];
  const guest = unwrap(
    await openInteractive({
      memoryMb: 256,
      onOutput: (event) => events.push(event),
      onRows: (request) => {
        asked.push(request);
        return new Promise(() => undefined);
      },
    }),
  );
  try {
    return await work(guest, events, asked);
  } finally {
    await guest.close();
  }
}

function run(guest: Interactive, code: string, id = "cell"): Promise<Result<CellResult>> {
  return guest.run({ id, code, sourceUrl: id, uses: [], defines: [] });
}

/** Values that cost the host more than the guest: told to the cell, and the guest lives on. */
const tooDeep: [what: string, code: string, says: RegExp][] = [
  [
    "queries on top of each other",
    `let t = snapshot("s"); for (let i = 0; i < 1000; i++) t = sql\`select * from \${t}\`; return { t };`,
    /more than 100 queries/,
  ],
  [
    "a query that doubles",
    `let t = snapshot("s"); for (let i = 0; i < 40; i++) t = sql\`select * from \${t}, \${t}\`; return { t };`,
    /more than 2000 tables/,
  ],
  [
    "a deep chart",
    `let s = 1; for (let i = 0; i < 5000; i++) s = [s]; chart({ s }, []); return {};`,
    /levels deep/,
  ],
  [
    "a chart's deep row",
    `let s = 1; for (let i = 0; i < 1000; i++) s = [s]; chart({}, [{ s }]); return {};`,
    /levels deep/,
  ],
  ["a huge chart", `chart({ s: "x".repeat(2e6) }, []); return {};`, /1 MB/],
];

test.each(tooDeep)("%s", async (_, code, says) => {
  await withGuest(async (guest) => {
    const ran = await run(guest, code);
    expect(ran).toMatchObject({ ok: false, problem: { message: expect.stringMatching(says) } });
    expect((await run(guest, "return {};")).ok).toBe(true);
  });
});

test("a bundle's queries on top of each other are refused by name", async () => {
  const bundle = await bundleOf(
    `let t = snapshot("s"); for (let i = 0; i < 1000; i++) t = sql\`select * from \${t}\`; const d = transform(t, (row) => row);`,
    ["d"],
  );
  expect(await describeBundle(bundle)).toMatchObject({
    ok: false,
    problem: { message: expect.stringMatching(/more than 100 queries/) },
  });
});

describe("what a cell leaves running", () => {
  test("a timer speaks in no other cell's name", async () => {
    await withGuest(async (guest, events) => {
      unwrap(
        await run(
          guest,
          `setInterval(() => { console.log("left over"); display("left over"); }, 1); return {};`,
          "first",
        ),
      );
      const second = unwrap(
        await run(guest, "await new Promise((go) => setTimeout(go, 60)); return {};", "second"),
      );
      expect(second.displays).toEqual([]);
      expect(events.filter(({ cell }) => cell === "second")).toEqual([]);
    });
  });

  test("a flood of errors nobody handles is bounded", async () => {
    await withGuest(async (guest, events) => {
      unwrap(
        await run(guest, "for (let i = 0; i < 2000; i++) Promise.reject(new Error()); return {};"),
      );
      unwrap(await run(guest, "return {};"));
      expect(events.length).toBeLessThanOrEqual(50);
    });
  });

  test("a flood of tables to read is refused", async () => {
    await withGuest(async (guest, _, asked) => {
      const ran = await run(guest, `for (;;) void snapshot("s").rows();`);
      expect(ran).toMatchObject({
        ok: false,
        problem: { message: expect.stringMatching(/More than 256 tables/) },
      });
      expect(asked.length).toBeLessThanOrEqual(256);
    });
  });
});

test("timers: a cleared one never comes, arguments are passed", async () => {
  await withGuest(async (guest) => {
    const ran = unwrap(
      await run(
        guest,
        `const seen = []; const gone = setTimeout(() => seen.push("gone"), 1); clearTimeout(gone);
         const many = setInterval((x) => seen.push(x), 1, "again");
         await new Promise((go) => setTimeout(go, 40)); clearInterval(many); const count = seen.length;
         await new Promise((go) => setTimeout(go, 40));
         return { first: seen[0], same: seen.length === count };`,
      ),
    );
    expect(ran.defined["first"]).toMatchObject({ text: "again" });
    expect(ran.defined["same"]).toMatchObject({ text: "true" });
  });
});
