// The way with containers: `podman compose` or `docker compose` over deploy/compose/.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { certificateCommands } from "./certificate.mjs";
import { systemProperties, writeCassandraFiles } from "./cassandra.mjs";
import { execute, lastLines } from "./execute.mjs";
import { formatArguments, writeKafkaFiles } from "./kafka.mjs";
import { StackProblem } from "./problem.mjs";
import { writePrometheusFiles } from "./prometheus.mjs";
import { databaseUrl } from "./registry.mjs";
import { root } from "./settings.mjs";

const rules = join(root, "deploy/prometheus");
const isLinux = process.platform === "linux";
/** On Linux Prometheus shares the host's network, since the server it scrapes listens on loopback only. */
const files = ["compose.yaml", isLinux ? "prometheus-host.yaml" : "prometheus-bridge.yaml"];

/** `podman` or `docker`, where its engine answers and `compose` is there; else undefined. */
export function findEngine() {
  const answers = (...command) => {
    const [program, ...arguments_] = command;
    return spawnSync(program, arguments_, { stdio: "ignore", timeout: 10_000 }).status === 0;
  };
  return ["podman", "docker"].find(
    (engine) => answers(engine, "info") && answers(engine, "compose", "version"),
  );
}

/** The servers as containers of `engine`. */
export function composeWay(settings, engine) {
  const environment = { ...settings.environment, ...composeVariables(settings) };
  const fileArguments = files.flatMap((name) => ["-f", join(root, "deploy/compose", name)]);
  const command = (arguments_) => [
    "compose",
    "-p",
    "penstock-stack",
    ...fileArguments,
    ...arguments_,
  ];
  let queue = Promise.resolve();

  /** One call at a time: two that start at once would both make the project's network. */
  function compose(...arguments_) {
    const ran = queue.then(() => execute(engine, command(arguments_), { env: environment }));
    queue = ran;
    return ran.then((ran) => {
      if (ran.isDone) return ran.output;
      throw new StackProblem(
        `\`${engine} compose ${arguments_.join(" ")}\` failed: ${lastLines(ran.output, 3)}\nWithout containers: PENSTOCK_STACK_WAY=processes.`,
      );
    });
  }

  return {
    kind: "compose",
    look(server) {
      const ran = spawnSync(engine, command(["ps", "--all", "--format", "json", server.name]), {
        env: environment,
        encoding: "utf8",
      });
      return { state: stateOf(ran.stdout ?? "") };
    },
    async start(server) {
      writeFiles(settings);
      await compose("up", "--detach", server.name);
    },
    stop: (server) => compose("stop", server.name),
    kill: (server) => compose("kill", "--signal", "SIGKILL", server.name),
    freeze: (server) => compose("pause", server.name),
    thaw: (server) => compose("unpause", server.name),
    async remove(server) {
      await compose("rm", "--force", "--stop", server.name);
      // What a container wrote belongs to a user of the container's.
      await compose("run", "--rm", "cleaner", `/stack/${server.name}`);
      rmSync(join(settings.home, server.name), { recursive: true, force: true });
    },
    async lastWords(server) {
      return lastLines(await compose("logs", "--no-color", "--tail", "12", server.name), 12);
    },
  };
}

/** Podman prints one array, Docker one object a line; an absent container prints nothing or `[]`. */
export function stateOf(output) {
  const state = /"State":\s*"?(\w+)/i.exec(output)?.[1]?.toLowerCase();
  if (state === "running") return "running";
  return state === "paused" ? "frozen" : "stopped";
}

/** What compose.yaml leaves open. */
export function composeVariables(settings) {
  const [plain, , sasl, tls, proxied] = settings.ports.kafka;
  const keytool = certificateCommands("/stack/kafka/tls");
  const shell = (arguments_) => arguments_.map((text) => `'${text}'`).join(" ");
  return {
    STACK_HOME: settings.home,
    STACK_RULES: existsSync(rules) ? rules : join(settings.home, "prometheus/rules"),
    STACK_KAFKA_PORT: String(plain),
    STACK_KAFKA_SASL_PORT: String(sasl),
    STACK_KAFKA_TLS_PORT: String(tls),
    STACK_KAFKA_PROXIED_PORT: String(proxied),
    STACK_KAFKA_CERTIFICATE: keytool
      .map((arguments_) => `keytool ${shell(arguments_)}`)
      .join(" && "),
    STACK_KAFKA_FORMAT: shell(formatArguments("/stack/kafka/server.properties")),
    STACK_CASSANDRA_PORT: String(settings.ports.cassandra[0]),
    STACK_CASSANDRA_OPTIONS: systemProperties.map((property) => `-D${property}`).join(" "),
    STACK_ELASTICSEARCH_PORT: String(settings.ports.elasticsearch[0]),
    STACK_REGISTRY_PORT: String(settings.ports.registry[0]),
    STACK_REGISTRY_DATABASE: databaseUrl("/stack/registry/data"),
    STACK_PROMETHEUS_PORT: String(settings.ports.prometheus[0]),
  };
}

function writeFiles(settings) {
  // The images run as users of their own, whose numbers this machine does not know.
  for (const name of [
    "kafka",
    "kafka/tls",
    "kafka/data",
    "cassandra",
    "elasticsearch",
    "elasticsearch/data",
    "registry",
    "registry/data",
    "prometheus",
    "prometheus/data",
    "prometheus/rules",
  ]) {
    const folder = join(settings.home, name);
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o777);
  }
  writeKafkaFiles(settings, {
    bind: "0.0.0.0",
    data: "/stack/kafka/data",
    tls: "/stack/kafka/tls",
  });
  writeCassandraFiles(settings, { bind: "0.0.0.0", data: "/stack/cassandra" });
  writePrometheusFiles(settings, {
    targets: "/stack/prometheus/targets",
    rules: "/rules",
    ...(isLinux ? {} : { host: "host.docker.internal" }),
  });
}
