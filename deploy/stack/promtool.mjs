// Prometheus' tool for rules, and where Prometheus looks for what to scrape.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { readSettings } from "./settings.mjs";

/** The program: beside the Prometheus that was unpacked or named, or on the path; undefined where there is none. */
export function findPromtool(environment = process.env) {
  const { programs } = readSettings(environment);
  const named = environment.PENSTOCK_PROMETHEUS;
  const beside = [
    join(programs, "prometheus/usr/bin/promtool"),
    ...(named ? [join(dirname(named), "promtool")] : []),
  ].find((path) => existsSync(path));
  if (beside) return beside;
  return spawnSync("promtool", ["--version"]).status === 0 ? "promtool" : undefined;
}

/** The folder of target files (`file_sd`) of this stack's own Prometheus; undefined where another's address is given. */
export function targetsFolder() {
  const { home, given } = readSettings();
  return given.prometheus ? undefined : join(home, "prometheus/targets");
}
