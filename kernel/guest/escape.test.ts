import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unwrap, type Result } from "#snapshots/problem.ts";
import { batchOf, bundleOf, column } from "./fixture.ts";
import { openInteractive, type CellResult, type Interactive } from "./interactive.ts";
import { sandboxState } from "./sandbox.ts";
import { openSlice, type SliceBatch } from "./slice.ts";

const columns = [column("n", "INTEGER")];
const output = [column("text", "VARCHAR")];
const one = batchOf(columns, [[1]]);

/** Runs `body` as a transform's function over one row; its result must be text. */
async function inSlice(
  body: string,
  options: { before?: string; memoryMb?: number; timeoutMs?: number } = {},
): Promise<Result<SliceBatch>> {
  const code = `${options.before ?? ""}\nconst t = transform(snapshot("s"), (row) => ({ text: String((() => { ${body} })()) }));`;
  const slice = await openSlice({
    bundle: await bundleOf(code, ["t"]),
    entry: { kind: "transform", name: "t" },
    input: columns,
    output,
    limits: {
      memoryMb: options.memoryMb ?? 256,
      openTimeoutMs: options.timeoutMs ?? 120_000,
      batchTimeoutMs: options.timeoutMs ?? 120_000,
    },
  });
  if (!slice.ok) return slice;
  const ran = await slice.value.run(one);
  await slice.value.close();
  return ran;
}

async function interactive(memoryMb = 256): Promise<Interactive> {
  return unwrap(await openInteractive({ memoryMb, onOutput: () => undefined }));
}

/** Runs one cell in a guest of its own. */
async function inCell(code: string, memoryMb = 256): Promise<Result<CellResult>> {
  const guest = await interactive(memoryMb);
  const ran = await runCell(guest, code);
  await guest.close();
  return ran;
}

function runCell(
  guest: Interactive,
  code: string,
  signal?: AbortSignal,
): Promise<Result<CellResult>> {
  return guest.run({ id: "cell", code, sourceUrl: "cell", uses: [], defines: [] }, signal);
}

/** What went wrong, whichever way it is told; undefined when nothing did. */
function wrong(result: Result<SliceBatch> | Result<CellResult>): string | undefined {
  if (!result.ok) return result.problem.message;
  return "errors" in result.value ? result.value.errors[0]?.message : undefined;
}

const secret = "penstock-secret-in-the-environment";
let port = 0;
let connections = 0;
const server = createServer((socket) => {
  connections += 1;
  socket.destroy();
});

beforeAll(async () => {
  process.env["PENSTOCK_SECRET"] = secret;
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  port = address !== null && typeof address === "object" ? address.port : 0;
});

afterAll(() => {
  delete process.env["PENSTOCK_SECRET"];
  server.close();
});

test("this machine's sandbox says whether it is whole", () => {
  const state = sandboxState();
  expect(state.isReduced).toBe(state.note !== undefined);
});

/** Names that reach out of a JavaScript engine. Each must be away, or answer with an instruction. */
const names =
  "Deno process Buffer global require Worker WebAssembly SharedArrayBuffer fetch WebSocket EventSource caches localStorage sessionStorage indexedDB navigator crypto BroadcastChannel MessageChannel alert prompt close opener importScripts Event EventTarget Blob File Request Response ReadableStream WritableStream ShadowRealm gc d8 __bootstrap";

describe("names that reach out are away", () => {
  const probe = `const found = []; for (const name of ${JSON.stringify(names)}.split(" ")) {
    const value = globalThis[name]; if (value === undefined) continue;
    try { new value("x"); found.push(name); } catch (error) { if (!/notebook has no/i.test(error.message) && !/snapshot/.test(error.message)) found.push(name + ": " + error.message); } }`;
  test("in a slice", async () => {
    const ran = unwrap(
      await inSlice(`${probe} if (found.length > 0) throw new Error(found.join()); return "none";`),
    );
    expect(ran.errors).toEqual([]);
  });
  test("in a cell", async () => {
    const ran = unwrap(await inCell(`${probe} return { found };`));
    expect(ran.defined["found"]).toMatchObject({ kind: "plain", text: "[]" });
  });
});

/** Expressions that would succeed outside, and what must be said of them. */
const escapes: [what: string, expression: string, says: RegExp][] = [
  ["read a file through Deno", `Deno.readTextFileSync("/etc/passwd")`, /Deno is not defined/],
  ["read the environment", `Deno.env.get("PENSTOCK_SECRET")`, /Deno is not defined/],
  ["read the environment through process", `process.env.PENSTOCK_SECRET`, /process is not defined/],
  ["spawn", `new Deno.Command("id").outputSync()`, /Deno is not defined/],
  ["open a socket", `Deno.connect({ port: 1 })`, /Deno is not defined/],
  ["fetch", `fetch("http://127.0.0.1/")`, /has no network/],
  ["a worker", `new Worker("data:text/javascript,1", { type: "module" })`, /has no threads/],
  [
    "WebAssembly memory",
    `new WebAssembly.Memory({ initial: 60000 })`,
    /WebAssembly is not defined/,
  ],
  ["the function constructor", `(() => {}).constructor("return Deno")()`, /Deno is not defined/],
  [
    "the async function constructor's global",
    `(async () => {}).constructor("return process.env").call().constructor.constructor("return Deno")()`,
    /Deno is not defined/,
  ],
  ["an indirect eval", `(0, eval)("Deno")`, /Deno is not defined/],
  ["sloppy this", `new Function("return this.Deno.env")()`, /Cannot read properties of undefined/],
  ["require", `globalThis.require("fs")`, /has no require/],
  [
    "Error.prepareStackTrace",
    `Error.prepareStackTrace = (_, sites) => sites`,
    /read only|Cannot assign|not extensible/,
  ],
  ["patch a prototype", `Array.prototype.map = () => "patched"`, /read only|Cannot assign/],
  ["patch Object.prototype", `Object.prototype.delay = 1`, /not extensible|Cannot add/],
  [
    "patch what all objects inherit",
    `Object.getPrototypeOf({}).polluted = 1`,
    /not extensible|Cannot add/,
  ],
  [
    "patch a getter in place",
    `Object.defineProperty(Map.prototype, "get", { value: () => 1 })`,
    /Cannot redefine/,
  ],
  ["put an item into every array", `Array.prototype[0] = 1`, /not extensible|Cannot add/],
  ["put an item into every object", `Object.prototype[0] = 1`, /not extensible|Cannot add/],
  ["make every empty array longer", `Array.prototype.length = 3`, /read only|Cannot assign/],
  [
    "push into what arrays inherit",
    `Array.prototype.push(1)`,
    /not extensible|Cannot add|read only/,
  ],
  [
    "give back a method's place",
    `Object.defineProperty(Array.prototype, "at", { writable: true })`,
    /Cannot redefine/,
  ],
  ["take away a method", `delete Array.prototype.at`, /Cannot delete/],
  ["patch toString of all objects", `Object.prototype.toString = () => "x"`, /frozen/],
  [
    "patch the iterator of arrays",
    `Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true })`,
    /read only|Cannot assign/,
  ],
  ["patch Math", `Math.max = () => 1`, /read only|Cannot assign/],
  ["patch JSON", `JSON.stringify = () => "{}"`, /read only|Cannot assign/],
  ["replace a global", `globalThis.Array = class {}`, /read only|Cannot assign/],
  ["keep state in a global", `globalThis.kept = 1`, /not extensible|Cannot add/],
  ["keep state on a function", `Array.from.kept = 1`, /not extensible|Cannot add/],
  ["the last match of RegExp", `(/a/.exec("a"), RegExp["$&"].length)`, /undefined/],
];

describe.each(escapes)("%s", (_, expression, says) => {
  test("fails in a slice", async () => {
    expect(wrong(await inSlice(`"use strict"; return ${expression};`))).toMatch(says);
  });
  test("fails in a cell", async () => {
    expect(wrong(await inCell(`return { value: ${expression} };`))).toMatch(says);
  });
});

const specifiers = [
  "npm:chalk",
  "jsr:@std/assert",
  "https://deno.land/std/version.ts",
  "http://127.0.0.1:PORT/x.js",
  "file:///etc/passwd",
  "/etc/passwd",
  "./escape.test.ts",
  "node:fs",
  "node:fs/promises",
  "node:process",
  "node:child_process",
  "node:worker_threads",
  "node:vm",
  "node:module",
  "node:sqlite",
  "node:inspector/promises",
  "NODE:fs",
  "no\tde:fs",
  "fs",
  "ext:core/mod.js",
  "penstock",
];

const inner = (specifier: string) =>
  `data:text/javascript,${encodeURIComponent(`import * as a from ${JSON.stringify(specifier)}; export default Object.keys(a)`)}`;

describe("imports fail", () => {
  const tries = `const tries = [];
    for (const from of specifiers) { tries.push([from], [from, { with: { type: "text" } }], [from, { with: { type: "json" } }], [from, { with: { type: "bytes" } }]); }
    for (const from of nested) tries.push([from]);
    const reached = [];
    const standsIn = (module) => decodeURIComponent(module.default).includes("A notebook cannot import Node");
    for (const [from, options] of tries) {
      try { const module = await (options ? import(from, options) : import(from)); if (standsIn(module)) continue; reached.push(from + " " + JSON.stringify(options) + Object.keys(module)); } catch {}
    }`;
  const lists = (): string => {
    const all = specifiers.map((specifier) => specifier.replace("PORT", String(port)));
    return `const specifiers = ${JSON.stringify(all)}; const nested = ${JSON.stringify(all.filter((one) => one !== cutOff).map(inner))};`;
  };

  /** Reached all the same by a static import in a module made from text; its Worker is cut instead. */
  const cutOff = "node:worker_threads";
  const workers = `const { Worker, default: all } = await import(${JSON.stringify(`data:text/javascript,${encodeURIComponent(`export * from "${cutOff}"; export { default } from "${cutOff}";`)}`)});
    const said = [];
    for (const make of [() => new Worker("data:text/javascript,1"), () => new all.Worker("data:text/javascript,1"), () => Reflect.construct(Worker, ["data:text/javascript,1"], Object), () => Object.setPrototypeOf(Worker, Object)]) {
      try { make(); said.push("made"); } catch (error) { said.push(error.message); }
    }`;
  const refusals = expect.stringMatching(/^(?!.*made).*no threads of its own/s);

  test("a worker by way of the one module that cannot be taken away", async () => {
    const ran = unwrap(await inCell(`${workers} return { said };`));
    expect(ran.defined["said"]).toMatchObject({ text: refusals });
    const opened = await openSlice({
      bundle: `${workers} throw new Error(said.join());`,
      entry: { kind: "transform", name: "t" },
      input: columns,
      output,
    });
    expect(opened).toMatchObject({ ok: false, problem: { message: refusals } });
  });

  test("in a cell", async () => {
    const ran = unwrap(await inCell(`${lists()} ${tries} return { reached };`));
    expect(ran.defined["reached"]).toMatchObject({ text: "[]" });
    expect(connections).toBe(0);
  });

  test("in a bundle's own code", async () => {
    const before = `${lists()} const load = new Function("from", "options", "return import(from, options)"); ${tries.replaceAll("import(", "load(")}`;
    const bundle = `${before} throw new Error("reached: " + JSON.stringify(reached));`;
    const opened = await openSlice({
      bundle,
      entry: { kind: "transform", name: "t" },
      input: columns,
      output,
    });
    expect(opened).toMatchObject({ ok: false, problem: { message: "Error: reached: []" } });
    expect(connections).toBe(0);
  });

  test.each(["node:fs", "file:///etc/passwd", "npm:chalk", "https://deno.land/std/version.ts"])(
    "a bundle that imports %s statically",
    async (specifier) => {
      const opened = await openSlice({
        bundle: `import * as a from ${JSON.stringify(specifier)}; export const slice = { transforms: {}, metrics: [] };`,
        entry: { kind: "transform", name: "t" },
        input: columns,
        output,
      });
      expect(opened.ok).toBe(false);
    },
  );
});

describe("memory", () => {
  const fills: [string, string][] = [
    ["objects", `const all = []; for (;;) all.push({ x: [all.length] });`],
    ["array buffers", `const all = []; for (;;) all.push(new Uint8Array(2 ** 26).fill(1));`],
    ["one long text", `let text = "x"; for (;;) text += text + Math.max(1, 2);`],
  ];
  test.each(fills)(
    "filled with %s ends the slice or its record, and the next one works",
    async (_, body) => {
      expect(wrong(await inSlice(body))).toMatch(
        /memory|allocation|Invalid string length|Invalid array length/i,
      );
      expect(unwrap(await inSlice(`return "fine";`)).errors).toEqual([]);
    },
  );
  test.each(fills)("filled with %s ends the cell, and the next guest works", async (_, code) => {
    expect(wrong(await inCell(code))).toMatch(
      /memory|allocation|Invalid string length|Invalid array length/i,
    );
    expect((await inCell("return {};")).ok).toBe(true);
  });
});

describe("time", () => {
  test("a busy loop in a cell is interrupted", async () => {
    const guest = await interactive();
    const stop = new AbortController();
    const running = runCell(guest, "while (true) {}", stop.signal);
    expect((await runCell(await interactive(), "return {};")).ok).toBe(true);
    stop.abort();
    expect(await running).toMatchObject({ ok: false, problem: { code: "interrupted" } });
    expect(guest.isAlive).toBe(false);
  });

  test("a batch that hangs is ended by the watchdog", async () => {
    expect(await inSlice("for (;;) {}", { timeoutMs: 300 })).toMatchObject({
      ok: false,
      problem: { code: "guest-hung" },
    });
  });

  test("a bundle that hangs when loaded is ended too", async () => {
    expect(await inSlice("return 1;", { before: "for (;;) {}", timeoutMs: 300 })).toMatchObject({
      ok: false,
      problem: { code: "guest-hung" },
    });
  });

  test("a bundle that waits for ever is told of", async () => {
    expect(await inSlice("return 1;", { before: "await new Promise(() => {});" })).toMatchObject({
      ok: false,
      problem: { message: expect.stringMatching(/waits at its top level/) },
    });
  });

  const clocks = [
    "Date.now()",
    "new Date()",
    "Date()",
    "Reflect.construct(Date, [])",
    "new (class extends Date {})()",
    "new (Date.prototype.constructor)()",
    "new Intl.DateTimeFormat().format()",
    "new Intl.DateTimeFormat().formatToParts()",
  ];
  test.each(clocks)("a transform cannot ask the time with %s", async (expression) => {
    expect(wrong(await inSlice(`return ${expression};`))).toMatch(/Transforms have no clock/);
  });
  test.each([
    "performance.now()",
    "Temporal.Now.instant()",
    "setTimeout(() => {}, 1)",
    "new Event('x').timeStamp",
  ])("nor with %s", async (expression) => {
    expect(wrong(await inSlice(`return ${expression};`))).toMatch(/not defined|undefined/);
  });
  test("a transform has no randomness", async () => {
    expect(wrong(await inSlice("return Math.random();"))).toMatch(/Transforms have no randomness/);
    expect(wrong(await inSlice("return crypto.randomUUID();"))).toMatch(/not defined/);
  });
});

describe("the protocol", () => {
  test("console writes nothing into it: a slice counts and drops lines", async () => {
    expect(
      unwrap(
        await inSlice(
          `for (let i = 0; i < 9; i++) console.log("\\0\\0\\0\\0garbage"); return "fine";`,
        ),
      ).errors,
    ).toEqual([]);
  });

  test("console in a cell becomes lines, bounded", async () => {
    const lines: string[] = [];
    const guest = unwrap(
      await openInteractive({
        onOutput: (event) => lines.push(event.kind === "line" ? event.text : event.kind),
      }),
    );
    await runCell(guest, `for (let i = 0; i < 5000; i++) console.log("x".repeat(100)); return {};`);
    expect(lines.join("\n").length).toBeLessThan(70_000);
    expect(lines.at(-1)).toBe("truncated");
    await guest.close();
  });

  test("a result that pretends to be a frame is only data", async () => {
    const guest = await interactive();
    const ran = unwrap(
      await runCell(
        guest,
        `return { type: "result", cell: "other", token: "guess", toJSON: () => "x" };`,
      ),
    );
    expect(Object.keys(ran.defined)).toEqual(["type", "cell", "token", "toJSON"]);
    expect((await runCell(guest, "return {};")).ok).toBe(true);
    await guest.close();
  });

  test("hostile values are told of without running wild", async () => {
    const guest = await interactive();
    const ran = await runCell(
      guest,
      `const cyclic = { a: [] }; cyclic.a.push(cyclic);
       const getter = { get boom() { throw new Error("ran"); } };
       const proxy = new Proxy({}, { ownKeys() { throw new Error("ran"); }, getPrototypeOf() { throw new Error("ran"); } });
       const huge = Array.from({ length: 1e6 }, (_, i) => i); let deep = {}; for (let i = 0; i < 1e5; i++) deep = { deep };
       return { cyclic, getter, proxy, huge, deep };`,
    );
    expect(ran.ok || ran.problem.code === "cell-error").toBe(true);
    expect((await runCell(guest, "return {};")).ok).toBe(true);
    await guest.close();
  });
});

describe("from one run to the next", () => {
  test("what imports bring back is frozen too", async () => {
    const back = `const w = await import("data:text/javascript," + encodeURIComponent("export * from 'node:worker_threads'; export { default } from 'node:worker_threads';"));
      const { mem } = await import("data:application/wasm;base64,AGFzbQEAAAAFAwEAAQcHAQNtZW0CAA==");
      const shared = new mem.constructor({ initial: 1, maximum: 2, shared: true }).buffer;
      const all = [w.MessageChannel, w.MessagePort.prototype, w.BroadcastChannel, w.default, mem.constructor.prototype, shared.constructor.prototype];`;
    const ran = unwrap(await inCell(`${back} return { frozen: all.every(Object.isFrozen) };`));
    expect(ran.defined["frozen"]).toMatchObject({ text: "true" });
    const opened = await openSlice({
      bundle: `${back} throw new Error("frozen: " + all.every(Object.isFrozen));`,
      entry: { kind: "transform", name: "t" },
      input: columns,
      output,
    });
    expect(opened).toMatchObject({ ok: false, problem: { message: "Error: frozen: true" } });
  });

  test("a patched prototype in one cell cannot falsify another", async () => {
    const guest = await interactive();
    expect((await runCell(guest, "Array.prototype.reduce = () => 42; return {};")).ok).toBe(false);
    const ran = unwrap(await runCell(guest, "return { sum: [1, 2].reduce((a, b) => a + b) };"));
    expect(ran.defined["sum"]).toMatchObject({ text: "3" });
    await guest.close();
  });

  test("a cell that runs again starts from nothing of its own", async () => {
    const guest = await interactive();
    const code = `let count = 0; count += 1; var seen = typeof kept; try { kept = 1; } catch {} new Function("try { sneaked = 1 } catch {}")(); return { count, seen, sneaked: typeof sneaked };`;
    for (let i = 0; i < 2; i += 1) {
      const ran = unwrap(await runCell(guest, code));
      expect(Object.values(ran.defined).map((value) => "text" in value && value.text)).toEqual([
        "1",
        "undefined",
        "undefined",
      ]);
    }
    await guest.close();
  });

  test("values that cells share are frozen", async () => {
    const guest = await interactive();
    unwrap(
      await guest.run({
        id: "a",
        code: "return { list: [1], map: new Map(), day: new Date(0) };",
        sourceUrl: "a",
        uses: [],
        defines: ["list", "map", "day"],
      }),
    );
    const uses = ["list", "map", "day"];
    for (const code of ["list.push(2);", "map.set(1, 2);", "day.setTime(1);"]) {
      const ran = await guest.run({ id: "b", code, sourceUrl: "b", uses, defines: [] });
      expect(ran.ok).toBe(false);
    }
    await guest.close();
  });

  test("a slice's lookups and global state are the same for each record", async () => {
    const lookup = {
      by: ["k"],
      columns: [column("k", "INTEGER"), column("at", "TIMESTAMP"), column("list", "INTEGER[]")],
      batches: [] as Uint8Array[],
    };
    lookup.batches.push(batchOf(lookup.columns, [[1], [new Date(0)], [[1]]]));
    const code = `const t = transform(snapshot("s"), { lookup: { l: snapshot("l").by("k") } }, (row, { l }) => { const found = l(1); found.at.setTime(5); return { text: "x" }; });
      const u = transform(snapshot("s"), { lookup: { l: snapshot("l").by("k") } }, (row, { l }) => { l(1).list.push(1); return { text: "x" }; });`;
    for (const name of ["t", "u"]) {
      const slice = unwrap(
        await openSlice({
          bundle: await bundleOf(code, ["t", "u"]),
          entry: { kind: "transform", name },
          input: columns,
          output,
          lookups: { l: lookup },
        }),
      );
      expect(unwrap(await slice.run(one)).errors[0]?.message).toMatch(/frozen|not extensible/);
      await slice.close();
    }
  });
});

/** Processes of this machine that run a guest of this process's, by their ids. */
function guestsAlive(): string[] {
  const own = `ppid ${process.pid}`;
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return (
        `ppid ${stat[1]}` === own &&
        readFileSync(`/proc/${name}/cmdline`, "utf8").includes("--import-map")
      );
    } catch {
      return false;
    }
  });
}

test.runIf(process.platform === "linux")("a killed guest leaves no process behind", async () => {
  const before = guestsAlive();
  const begun = Promise.withResolvers<void>();
  const guest = unwrap(await openInteractive({ memoryMb: 255, onOutput: () => begun.resolve() }));
  const own = guestsAlive().filter((id) => !before.includes(id));
  expect(own).not.toEqual([]);
  const running = runCell(guest, "console.log('begun'); while (true) {}");
  await begun.promise;
  guest.kill();
  expect(await running).toMatchObject({ ok: false, problem: { code: "interrupted" } });
  await expect.poll(() => guestsAlive().filter((id) => own.includes(id))).toEqual([]);
});
