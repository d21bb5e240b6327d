// Prometheus from the machine, or its program alone out of Debian's package: nothing is installed, no service starts.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute, lastLines } from "./execute.mjs";
import { StackProblem } from "./problem.mjs";
import { root } from "./settings.mjs";

export const prometheus = {
  name: "prometheus",
  title: "Prometheus",
  version: undefined,
  needs: [],
  addresses: (settings) => ({ address: `127.0.0.1:${settings.ports.prometheus[0]}` }),
  mark: (settings) => `--config.file=${join(settings.home, "prometheus/prometheus.yml")}`,
  programFolder: () => "prometheus",
  async install(settings, tools, folder) {
    mkdirSync(folder, { recursive: true });
    if (programOnPath(settings.environment)) return;
    if (!canUnpackDebian()) {
      throw new StackProblem(
        "Prometheus is missing: install it (its program on the path, or named in PENSTOCK_PROMETHEUS), then run `npm run stack -- start prometheus`.",
      );
    }
    await unpackDebian(folder);
  },
  prepare(settings) {
    writePrometheusFiles(settings, {
      targets: join(settings.home, "prometheus/targets"),
      rules: join(root, "deploy/prometheus"),
    });
  },
  command(settings, tools, { folder, programs }) {
    const unpacked = join(programs, "usr/bin/prometheus");
    return {
      program: existsSync(unpacked) ? unpacked : programOnPath(settings.environment),
      arguments: [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${settings.ports.prometheus[0]}`,
        "--web.enable-lifecycle",
        "--log.level=warn",
      ],
    };
  },
};

function programOnPath(environment) {
  const programs = [environment.PENSTOCK_PROMETHEUS, "prometheus"].filter(Boolean);
  return programs.find((program) => spawnSync(program, ["--version"]).status === 0);
}

function canUnpackDebian() {
  return existsSync("/usr/bin/apt-get") && existsSync("/usr/bin/dpkg-deb");
}

async function unpackDebian(folder) {
  const download = () => execute("apt-get", ["download", "prometheus"], { cwd: folder });
  let ran = await download();
  if (!ran.isDone && process.getuid?.() === 0) {
    await execute("apt-get", ["update", "-qq"]);
    ran = await download();
  }
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (ran.isDone && archive) {
    ran = await execute("dpkg-deb", ["--extract", archive, "."], { cwd: folder });
    rmSync(join(folder, archive));
  }
  if (!ran.isDone) {
    throw new StackProblem(
      `Prometheus could not be fetched with apt-get. Install it, then start again. apt-get says: ${lastLines(ran.output, 2)}`,
    );
  }
}

/**
 * Writes `prometheus.yml`. `targets` and `rules` are folders as Prometheus sees them; `host` is the name under which it
 * reaches this machine's loopback, where that is not itself.
 */
export function writePrometheusFiles(settings, { targets, rules, host }) {
  const folder = join(settings.home, "prometheus");
  mkdirSync(join(folder, "targets"), { recursive: true });
  const path = (text) => JSON.stringify(text.replaceAll("\\", "/"));
  const relabel = host
    ? `
    relabel_configs:
      - { source_labels: [__address__], target_label: instance }
      - { source_labels: [__address__], regex: "127\\\\.0\\\\.0\\\\.1:(.+)", replacement: "${host}:$1", target_label: __address__ }`
    : "";
  writeFileSync(
    join(folder, "prometheus.yml"),
    `global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files:
  - ${path(`${rules}/*.rules.yml`)}
scrape_configs:
  - job_name: penstock
    static_configs:
      - targets: ["127.0.0.1:4747"]${relabel}
  - job_name: targets
    file_sd_configs:
      - files: [${path(`${targets}/*.json`)}]
        refresh_interval: 1s${relabel}
`,
  );
}
