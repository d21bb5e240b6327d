// Kafka 4 as one broker that is its own controller, with a plain, a SASL and a TLS listener, and one that expects a proxy before it.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { credentials, makeCertificate } from "./certificate.mjs";
import { execute, lastLines } from "./execute.mjs";
import { javaProgram } from "./java.mjs";
import { copyJars } from "./maven.mjs";
import { StackProblem } from "./problem.mjs";

const version = "4.3.1";
const logging = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
`;

export const kafka = {
  name: "kafka",
  title: "Kafka",
  version,
  needs: ["maven", "java17"],
  addresses(settings) {
    const [plain, , sasl, tls, proxied] = settings.ports.kafka;
    return {
      address: `127.0.0.1:${plain}`,
      sasl: `127.0.0.1:${sasl}`,
      tls: `127.0.0.1:${tls}`,
      proxied: `127.0.0.1:${proxied}`,
      ca: join(settings.home, "kafka/tls/ca.pem"),
    };
  },
  programFolder: () => `kafka-${version}`,
  install: (settings, tools, folder) =>
    copyJars(
      settings,
      tools,
      [
        `org.apache.kafka:kafka_2.13:${version}`,
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
      ],
      folder,
    ),
  async prepare(settings, tools, { folder, programs }) {
    writeKafkaFiles(settings, {
      bind: "127.0.0.1",
      data: join(folder, "data"),
      tls: join(folder, "tls"),
    });
    await makeCertificate(tools, join(folder, "tls"));
    if (existsSync(join(folder, "data/meta.properties"))) return;
    const formatted = await execute(javaProgram(tools.java17, "java"), [
      "-Xmx128m",
      "-XX:TieredStopAtLevel=1",
      `-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`,
      "-cp",
      join(programs, "*"),
      "kafka.tools.StorageTool",
      ...formatArguments(join(folder, "server.properties")),
    ]);
    if (!formatted.isDone) {
      throw new StackProblem(
        `Kafka's storage in ${folder} could not be formatted: ${lastLines(formatted.output, 3)}`,
      );
    }
  },
  command(settings, tools, { folder, programs }) {
    return {
      program: javaProgram(tools.java17, "java"),
      arguments: [
        ..."-Xms512m -Xmx512m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35".split(
          " ",
        ),
        "-XX:+ExplicitGCInvokesConcurrent",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
        `-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`,
        "-cp",
        join(programs, "*"),
        "kafka.Kafka",
        join(folder, "server.properties"),
      ],
    };
  },
};

/** Arguments of `kafka-storage` that make a new, empty broker with the SCRAM user in it. */
export function formatArguments(properties) {
  const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${credentials.user},password=${credentials.password}]`,
  ]);
  // One stack, one cluster: the id only has to be 16 bytes in base64.
  return ["format", "--standalone", "-t", "UGVuc3RvY2tTdGFja19fXw", "-c", properties, ...scram];
}

/** Writes `server.properties` and `log4j2.properties`. `bind`, `data` and `tls` are as the broker sees them. */
export function writeKafkaFiles(settings, { bind, data, tls }) {
  const folder = join(settings.home, "kafka");
  mkdirSync(folder, { recursive: true });
  const [plain, controller, sasl, secure, proxied, proxy] = settings.ports.kafka;
  const listeners = (host, last) =>
    `PLAIN://${host}:${plain},SASL://${host}:${sasl},TLS://${host}:${secure},PROXIED://${host}:${last}`;
  writeFileSync(
    join(folder, "server.properties"),
    `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${controller}
listeners=${listeners(bind, proxied)},CONTROLLER://127.0.0.1:${controller}
# Who asks the PROXIED listener for brokers is sent to the port above it: a test listens there, and passes on what it likes.
advertised.listeners=${listeners("127.0.0.1", proxy)},CONTROLLER://127.0.0.1:${controller}
listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${credentials.user}="${credentials.password}";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location=${forward(tls)}/broker.p12
ssl.keystore.password=${credentials.password}
log.dirs=${forward(data)}
num.partitions=6
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A killed worker keeps its partitions for its session: the tests that kill many ask for short ones.
group.min.session.timeout.ms=1000
# A broker that was killed may come back at once: by default the controller holds it dead for 9 s.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
`,
  );
  writeFileSync(join(folder, "log4j2.properties"), logging);
}

/** Properties files read a backslash as an escape. */
function forward(path) {
  return path.replaceAll("\\", "/");
}
