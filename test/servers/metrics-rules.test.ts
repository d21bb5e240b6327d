import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findPromtool } from "../../deploy/stack/promtool.mjs";

const promtool = findPromtool();
const rules = fileURLToPath(new URL("../../deploy/prometheus/", import.meta.url));

function run(...arguments_: string[]): { status: number | null; output: string } {
  const ran = spawnSync(promtool ?? "", arguments_, { cwd: rules, encoding: "utf8" });
  return { status: ran.status, output: `${ran.stdout}${ran.stderr}` };
}

test.runIf(process.env["CI"])("promtool is there to test the alerts", () => {
  expect(promtool).toBeDefined();
});

test.skipIf(promtool === undefined)(
  "promtool finds each alert to fire when it should, and only then",
  () => {
    expect(run("test", "rules", "penstock.rules.test.yml")).toMatchObject({ status: 0 });
  },
);

test.skipIf(promtool === undefined)("promtool has nothing against the rules", () => {
  expect(run("check", "rules", "penstock.rules.yml")).toMatchObject({ status: 0 });
});
