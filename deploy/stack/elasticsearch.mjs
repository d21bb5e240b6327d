// Elasticsearch 9 as one node, from the server's jars: Elastic puts no ready-made archive of it on Maven Central.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute, lastLines } from "./execute.mjs";
import { javaProgram } from "./java.mjs";
import { copyJars } from "./maven.mjs";
import { StackProblem } from "./problem.mjs";

const version = "9.5.3";
const sources = join(dirname(fileURLToPath(import.meta.url)), "elasticsearch");
const netty = "transport-netty4";

const logging = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
`;

export const elasticsearch = {
  name: "elasticsearch",
  title: "Elasticsearch",
  version,
  needs: ["maven", "java17", "java21"],
  addresses: (settings) => ({ address: `127.0.0.1:${settings.ports.elasticsearch[0]}` }),
  programFolder() {
    const hash = createHash("sha256");
    for (const name of readdirSync(sources).toSorted())
      hash.update(readFileSync(join(sources, name)));
    return `elasticsearch-${version}-${hash.digest("hex").slice(0, 8)}`;
  },
  async install(settings, tools, folder) {
    const lib = join(folder, "lib");
    const module = join(folder, "home/modules", netty);
    await copyJars(settings, tools, [`org.elasticsearch:elasticsearch:${version}`], lib);
    await copyJars(settings, tools, [`org.elasticsearch.plugin:${netty}:${version}`], module);
    // The server refuses a module that brings a jar it has already ("jar hell").
    const isInServer = new Set(readdirSync(lib));
    for (const name of readdirSync(module)) if (isInServer.has(name)) rmSync(join(module, name));
    await describeNettyModule(tools, module);
    for (const name of ["plugins", "lib"]) mkdirSync(join(folder, "home", name));
    linkZstd(join(folder, "native"));
    await compile(tools, folder, "SingleNode.java", join(folder, "classes"));
    await compile(tools, folder, "RootPlugin.java", join(folder, "root-classes"));
    await packRootModule(tools, folder);
  },
  prepare(settings, tools, { folder }) {
    for (const name of ["conf", "tmp", "data", "logs"]) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    const [http, transport] = settings.ports.elasticsearch;
    writeFileSync(
      join(folder, "conf/elasticsearch.yml"),
      `cluster.name: penstock
node.name: penstock
discovery.type: single-node
network.host: 127.0.0.1
http.port: ${http}
transport.port: ${transport}
path.data: ${JSON.stringify(join(folder, "data"))}
path.logs: ${JSON.stringify(join(folder, "logs"))}
cluster.routing.allocation.disk.threshold_enabled: false
action.auto_create_index: true
`,
    );
    writeFileSync(join(folder, "conf/log4j2.properties"), logging);
  },
  command(settings, tools, { folder, programs }) {
    const separator = process.platform === "win32" ? ";" : ":";
    return {
      program: javaProgram(tools.java21, "java"),
      arguments: [
        ..."-Xms1g -Xmx1g -XX:+UseG1GC -XX:-OmitStackTraceInFastThrow -XX:+ExitOnOutOfMemoryError".split(
          " ",
        ),
        "-Djava.net.preferIPv4Stack=true",
        "-Dfile.encoding=UTF-8",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.noKeySetOptimization=true",
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dlog4j2.disable.jmx=true",
        "-Dlog4j2.formatMsgNoLookups=true",
        "-Djava.locale.providers=CLDR",
        "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
        "-Des.distribution.type=tar",
        "--add-modules=jdk.incubator.vector",
        "--enable-native-access=ALL-UNNAMED",
        "--add-opens=java.base/java.io=ALL-UNNAMED",
        "-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false",
        `-Des.nativelibs.path=${join(programs, "native")}`,
        `-Djava.io.tmpdir=${join(folder, "tmp")}`,
        `-Des.path.home=${join(programs, "home")}`,
        `-Des.path.conf=${join(folder, "conf")}`,
        "-cp",
        [join(programs, "classes"), join(programs, "lib", "*")].join(separator),
        "org.elasticsearch.bootstrap.SingleNode",
      ],
    };
  },
};

/** The module's descriptor lies in its jar; its Java module name would have it loaded as a module, which needs the launcher. */
async function describeNettyModule(tools, module) {
  const path = `META-INF/es-plugins/${netty}/plugin-descriptor.properties`;
  const jar = join(module, `${netty}-${version}.jar`);
  await run(tools, "jar", ["--extract", "--file", jar, path], { cwd: module });
  const lines = readFileSync(join(module, path), "utf8").split("\n");
  writeFileSync(
    join(module, "plugin-descriptor.properties"),
    lines.filter((line) => !line.startsWith("modulename")).join("\n"),
  );
  rmSync(join(module, "META-INF"), { recursive: true });
}

async function packRootModule(tools, folder) {
  const module = join(folder, "home/modules/penstock-root");
  mkdirSync(module);
  const jar = join(module, "penstock-root.jar");
  await run(tools, "jar", ["--create", "--file", jar, "-C", join(folder, "root-classes"), "."]);
  writeFileSync(
    join(module, "plugin-descriptor.properties"),
    `description=stand-in for GET /
version=${version}
name=penstock-root
java.version=21
elasticsearch.version=${version}
classname=penstock.RootPlugin
`,
  );
}

function compile(tools, folder, source, classes) {
  return run(tools, "javac", [
    "-nowarn",
    "-cp",
    join(folder, "lib", "*"),
    "-d",
    classes,
    join(sources, source),
  ]);
}

async function run(tools, program, arguments_, options) {
  const ran = await execute(javaProgram(tools.java21, program), arguments_, options);
  if (!ran.isDone) {
    throw new StackProblem(
      `${program} failed while Elasticsearch was put together: ${lastLines(ran.output)}`,
    );
  }
}

/** zstd serves `index.codec: best_compression` only, so the system's library is taken where there is one. */
function linkZstd(folder) {
  mkdirSync(folder);
  const places = [
    "/usr/lib/x86_64-linux-gnu/libzstd.so.1",
    "/usr/lib/aarch64-linux-gnu/libzstd.so.1",
    "/usr/lib64/libzstd.so.1",
    "/opt/homebrew/lib/libzstd.dylib",
    "/usr/local/lib/libzstd.dylib",
  ];
  const found = places.find((place) => existsSync(place));
  const name = process.platform === "darwin" ? "libzstd.dylib" : "libzstd.so";
  if (found) copyFileSync(found, join(folder, name));
}
