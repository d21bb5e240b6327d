import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { git } from "#promote/git.ts";
import { until } from "#promote/sync/fixture.ts";
import {
  closedPort,
  openFrozenServer,
  type FrozenServer,
} from "#promote/sync/open/frozen-server.ts";
import { unwrap } from "#snapshots/problem.ts";
import { tinyWorkspace } from "#web/api/tiny-workspace.ts";

const launcher = fileURLToPath(new URL("./penstock.mjs", import.meta.url));
let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;
let frozen: FrozenServer;

beforeAll(async () => {
  tiny = await tinyWorkspace();
  frozen = await openFrozenServer();
  for (const command of [
    ["freeze", "trips", "--label", "one"],
    ["release", "slow", "--message", "Slower"],
    ["promote", "slow", "--to", "staging"],
  ])
    if ((await penstock(command).ended) !== 0) throw new Error(`${command[0]} failed`);
});
afterAll(() => {
  frozen.close();
  tiny.remove();
});

test("sync --until-idle goes on while Kafka is away, and says once what it waits for; on a terminal in its table alone", async () => {
  await moveTo(await closedPort());
  const sync = ["sync", "--until-idle", "--environment", "staging"];
  const asTerminal = "--import data:text/javascript,process.stdout.isTTY=true";
  const [pipe, terminal] = [penstock(sync), penstock(sync, { NODE_OPTIONS: asTerminal })];
  const why = /staging:slow: Kafka: [^\n]*ECONNREFUSED/g;
  for (const run of [pipe, terminal])
    await until("it has said what it waits for, and looked again", () => {
      if (run.process.exitCode !== null) throw new Error(`it ended: ${run.stdout()}`);
      return (run.stdout().match(/backing-off/g) ?? []).length > 1;
    });
  for (const { process } of [pipe, terminal]) process.kill("SIGINT");
  expect(await Promise.all([pipe.ended, terminal.ended])).toEqual([1, 1]);
  expect(pipe.stderr().match(why)).toHaveLength(1);
  expect(terminal.stderr()).toBe("");
  const drawings = terminal.stdout().split("\u001b[J");
  for (const drawing of drawings) expect(drawing.match(/^environment/gm)).toHaveLength(1);
  expect(drawings.at(-1)?.match(why)).toHaveLength(1);
});

test.each(["verify", "backfill"])(
  "%s ends at the first Ctrl-C while Kafka does not answer",
  async (verb) => {
    await moveTo(frozen.port);
    const before = frozen.connections();
    const run = penstock([verb, "staging:slow"]);
    await until("Kafka is asked", () => frozen.connections() > before);
    run.process.kill("SIGINT");
    expect(await run.ended).toBe(2);
    expect(run.stderr()).toContain("Cancelled.");
  },
);

type Run = {
  process: ChildProcess;
  stdout(): string;
  stderr(): string;
  ended: Promise<number | null>;
};

function penstock(arguments_: string[], variables: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [launcher, ...arguments_], {
    cwd: tiny.dir,
    stdio: "pipe",
    env: { ...process.env, ...variables },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, "close").then(() => child.exitCode);
  return { process: child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Staging reads from, and writes a topic of, a Kafka at this port. */
async function moveTo(port: number): Promise<void> {
  const path = "environments/staging.yaml";
  const [release = ""] = /[0-9a-f]{64}/.exec(readFileSync(join(tiny.dir, path), "utf8")) ?? [];
  const text = `kind: servers
approvals: 0
kafka: { brokers: ["127.0.0.1:${port}"] }
pipelines:
  slow: { release: "${release}", topic: trips, sinks: [{ topic: slow-trips }] }
`;
  writeFileSync(join(tiny.dir, path), text);
  const author = { name: "Ada", email: "ada@example.org" };
  unwrap(await git(tiny.dir).commitFiles({ files: { [path]: text }, message: "Move", author }));
}
