import { afterAll, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { batchOf, bundleOf, column } from "./fixture.ts";
import { closeSpareGuests } from "./guest-process.ts";
import { openSlice, type SliceBatch } from "./slice.ts";

const columns = [column("n", "INTEGER")];
const three = batchOf(columns, [[1, 2, 3]]);

afterAll(closeSpareGuests);

/** Row 1 of 3 gets what `body` returns; the others are filtered. The same batch twice: the guest must outlive it. */
async function withHostile(body: string, type: string): Promise<SliceBatch> {
  const code = `const t = transform(snapshot("s"), (row) => {
    if (row.n !== 2) return null;
    ${body}
  });`;
  const slice = unwrap(
    await openSlice({
      bundle: await bundleOf(code, ["t"]),
      entry: { kind: "transform", name: "t" },
      input: columns,
      output: [column("value", type, true)],
      limits: { memoryMb: 256, batchTimeoutMs: 5_000 },
    }),
  );
  unwrap(await slice.run(three));
  const ran = unwrap(await slice.run(three));
  await slice.close();
  return ran;
}

const boom = `throw new Error("boom");`;
const revoked = (of: string) =>
  `const { proxy, revoke } = Proxy.revocable(${of}, {}); revoke(); const revoked = proxy;`;

/** Results whose own code runs, or lies, while the guest takes them apart. */
const cases: [what: string, body: string, type: string, says: RegExp][] = [
  ["a getter that throws", `return { get value() { ${boom} } };`, "VARCHAR", /boom/],
  ["a proxy", `return new Proxy({}, { ownKeys() { ${boom} } });`, "VARCHAR", /boom/],
  ["a revoked proxy", `${revoked("{}")} return revoked;`, "VARCHAR", /revoked/],
  ["a `then` that throws", `return { a: 1, get then() { ${boom} } };`, "VARCHAR", /boom/],
  ["a part that throws", `return [{ get value() { ${boom} } }];`, "VARCHAR", /boom/],
  [
    "more parts than it first says",
    `let asked = 0; return new Proxy([], { get: (_, key) => key === "length" ? (asked++ ? 5 : 1) : { value: key } });`,
    "VARCHAR",
    /^$/,
  ],
  ["no Date", `return { value: Object.create(Date.prototype) };`, "TIMESTAMP", /takes a Date/],
  [
    "a trap for instanceof",
    `return { value: new Proxy({}, { getPrototypeOf() { ${boom} } }) };`,
    "TIMESTAMP",
    /takes a Date/,
  ],
  [
    "a trap for the message",
    `return { value: new Proxy({}, { getPrototypeOf() { ${boom} } }) };`,
    "INTEGER",
    /takes an integer/,
  ],
  ["no bytes", `return { value: Object.create(Uint8Array.prototype) };`, "BLOB", /a Uint8Array/],
  [
    "bytes of a length that changes",
    `let asked = 0; return { value: Object.create(Uint8Array.prototype, { length: { get: () => asked++ ? -5 : 0 } }) };`,
    "BLOB",
    /a Uint8Array/,
  ],
  ["no Map", `return { value: Object.create(Map.prototype) };`, "MAP(INTEGER, INTEGER)", /a Map/],
  [
    "a Map without end",
    `class Endless extends Map { *[Symbol.iterator]() { for (;;) yield [1, 1]; } } return { value: new Endless() };`,
    "MAP(INTEGER, INTEGER)",
    /^$/,
  ],
  ["a revoked list", `${revoked("[]")} return { value: revoked };`, "INTEGER[]", /revoked/],
  [
    "a list's item that throws",
    `return { value: new Proxy([1], { get(list, key) { if (key === "0") { ${boom} } return list[key]; } }) };`,
    "INTEGER[]",
    /boom/,
  ],
  ["a struct's getter", `return { value: { get a() { ${boom} } } };`, "STRUCT(a INTEGER)", /boom/],
  [
    "a struct's getter that fails at the second reading",
    `let asked = 0; return { value: { get a() { if (asked++) { ${boom} } return "no integer"; } } };`,
    "STRUCT(a INTEGER)",
    /takes an integer/,
  ],
  ["a text too long", `return { value: "x".repeat(2 ** 29 - 24) };`, "VARCHAR", /this long/],
  [
    "a stack with a line beyond all lines",
    `throw Object.defineProperty(new Error("boom"), "stack", { value: "(user:x:99999999999999999999:1)" });`,
    "VARCHAR",
    /boom/,
  ],
];

describe("a result with code of its own fails by itself, and the batch goes on", () => {
  test.each(cases)("%s", async (_, body, type, says) => {
    const ran = await withHostile(body, type);
    expect(ran.read).toBe(3);
    expect(ran.errors.every(({ row }) => row === 1)).toBe(true);
    expect(ran.errors[0]?.message ?? "").toMatch(says);
    expect([...ran.part].every((part) => part === 0)).toBe(true);
    expect(ran.input.length + ran.filtered + ran.errors.length).toBe(3);
  });
});
