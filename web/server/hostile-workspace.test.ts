import { existsSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { unwrap } from "#snapshots/problem.ts";
import { tinyWorkspace } from "../api/tiny-workspace.ts";
import { apiPages } from "./api-pages.ts";
import { serve, type Served } from "./serve.ts";

// A repository somebody else wrote: opening it may show problems, never end the server or leave its folder.

let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;
let served: Served;
let outside: string;
let authorization: string;

const deep = `// %%\nconst a = ${"[".repeat(20_000)}1${"]".repeat(20_000)};\n`;
const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"]
  .concat(
    "bcdefghij".split("").map((to, i) => `${to}: &${to} [${`*${"abcdefghij"[i]},`.repeat(9)}]`),
  )
  .join("\n");

beforeAll(async () => {
  tiny = await tinyWorkspace();
  const write = (path: string, text: string) => writeFileSync(join(tiny.dir, path), text);
  outside = `${tiny.dir}-outside.ts`;
  writeFileSync(outside, "// %%\nconst secret = 1;\n");
  symlinkSync(outside, join(tiny.dir, "notebooks/link.ts"));
  symlinkSync(`${tiny.dir}-nothing.ts`, join(tiny.dir, "notebooks/dangling.ts"));
  write("notebooks/deep.ts", deep);
  write("notebooks/long.ts", `// %%\nconst a = 1${"+1".repeat(50_000)};\n`);
  write("sources/bomb.yaml", bomb);
  write("sources/nowhere.yaml", "format: csv\npath: *nowhere\n");
  write("sources/pollute.yaml", "__proto__: { polluted: 1 }\nformat: csv\npath: data/trips.csv\n");
  served = unwrap(
    await serve({
      workspace: tiny.dir,
      port: 0,
      isPortExplicit: true,
      openBrowser: false,
      pages: apiPages,
      say: () => undefined,
    }),
  );
  authorization = `Bearer ${new URL(served.url).searchParams.get("token") ?? ""}`;
});

afterAll(async () => {
  await served.close();
  tiny.remove();
  rmSync(outside);
});

function get(path: string, body?: object): Promise<Response> {
  return fetch(`http://127.0.0.1:${served.port}${path}`, {
    headers: { authorization, "content-type": "application/json" },
    ...(body ? { method: "POST", body: JSON.stringify(body) } : {}),
  });
}

type Message = { type?: string; problem?: { code: string }; document?: unknown };

/** The first thing a session says. */
function firstWord(name: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${served.port}/api/notebooks/${name}/session`, {
      headers: { authorization },
    });
    socket.once("error", reject);
    socket.once("message", (data: Buffer) => {
      socket.close();
      resolve(JSON.parse(data.toString("utf8")) as Message);
    });
  });
}

describe("notebooks", () => {
  test("one that nests without measure is listed and opened with its problem, and the server lives", async () => {
    const listed = (await (await get("/api/notebooks")).json()) as {
      notebooks: { name: string }[];
    };
    expect(listed.notebooks.map(({ name }) => name)).toEqual(["deep", "long", "slow"]);
    for (const name of ["deep", "long"]) {
      expect((await firstWord(name)).type).toBe("document");
      const ran = await (await get(`/api/notebooks/${name}/run`, {})).text();
      expect(ran.includes("This cell nests too deeply")).toBe(true);
    }
    expect((await get("/api/status")).status).toBe(200);
  });

  test("a link that leaves the workspace is not followed", async () => {
    expect(await firstWord("link")).toMatchObject({ problem: { code: "notebook-outside" } });
    const ran = await get("/api/notebooks/link/run", {});
    expect(await ran.json()).toMatchObject({ problem: { code: "notebook-outside" } });
    expect((await get("/api/notebooks", { name: "dangling" })).status).toBe(409);
    expect(existsSync(`${tiny.dir}-nothing.ts`)).toBe(false);
  });
});

test("sources that blow up or pollute are problems of their own; the others are there", async () => {
  const answer = await get("/api/sources");
  expect(answer.status).toBe(200);
  const { sources, problems } = (await answer.json()) as {
    sources: { name: string }[];
    problems: { at: { file: string } }[];
  };
  expect(sources.map(({ name }) => name)).toEqual(["trips"]);
  expect(problems.map(({ at }) => at.file).toSorted()).toEqual([
    "sources/bomb.yaml",
    "sources/nowhere.yaml",
    "sources/pollute.yaml",
  ]);
  expect("polluted" in {}).toBe(false);
});

test("what the API answers may do nothing in a browser", async () => {
  for (const path of ["/api/status", "/api/nothing", "/nothing"]) {
    expect((await get(path)).headers.get("content-security-policy")).toMatch(/default-src 'none'/);
  }
});
