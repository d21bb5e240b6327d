// Cassandra 5 as one node. Java options from its own conf/jvm17-server.options.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { javaProgram } from "./java.mjs";
import { copyJars } from "./maven.mjs";
import { StackProblem } from "./problem.mjs";

const version = "5.0.9";

const exports_ = `java.base/jdk.internal.misc java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
java.rmi/sun.rmi.server java.sql/java.sql java.base/java.lang.ref jdk.unsupported/sun.misc jdk.compiler/com.sun.tools.javac.file
jdk.attach/sun.tools.attach`;
const opens = `java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref java.base/jdk.internal.reflect
java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar jdk.management/com.sun.management.internal
java.base/sun.nio.ch java.base/java.io java.base/java.lang.reflect jdk.compiler/com.sun.tools.javac java.base/java.lang java.base/java.util`;

const logging = `<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="console"/></root>
</configuration>
`;

export const cassandra = {
  name: "cassandra",
  title: "Cassandra",
  version,
  needs: ["maven", "java17"],
  addresses: (settings) => ({ address: `127.0.0.1:${settings.ports.cassandra[0]}` }),
  programFolder: () => `cassandra-${version}`,
  install: (settings, tools, folder) =>
    copyJars(
      settings,
      tools,
      [`org.apache.cassandra:cassandra-all:${version}`, "com.github.jbellis:jamm:0.4.0"],
      folder,
    ),
  prepare(settings, tools, { folder }) {
    writeCassandraFiles(settings, { bind: "127.0.0.1", data: folder });
  },
  command(settings, tools, { folder, programs }) {
    const conf = join(folder, "conf");
    return {
      program: javaProgram(tools.java17, "java"),
      arguments: [
        ..."-Xms1g -Xmx1g -Xss512k -XX:+UseG1GC -XX:+ParallelRefProcEnabled -XX:MaxTenuringThreshold=1 -XX:G1HeapRegionSize=16m -XX:G1RSetUpdatingPauseTimePercent=5 -XX:MaxGCPauseMillis=300 -XX:InitiatingHeapOccupancyPercent=70 -XX:+PerfDisableSharedMem".split(
          " ",
        ),
        "-Djava.net.preferIPv4Stack=true",
        "-Djdk.attach.allowAttachSelf=true",
        ...exports_.split(/\s+/).map((name) => `--add-exports=${name}=ALL-UNNAMED`),
        ...opens.split(/\s+/).map((name) => `--add-opens=${name}=ALL-UNNAMED`),
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dio.netty.allocator.useCacheForAllThreads=true",
        "-Dio.netty.allocator.maxOrder=11",
        ...systemProperties.map((property) => `-D${property}`),
        "-Dcassandra-foreground=yes",
        `-javaagent:${join(programs, "jamm-0.4.0.jar")}`,
        `-Dcassandra.storagedir=${folder}`,
        `-Dcassandra.logdir=${folder}`,
        `-Dcassandra.config=${pathToFileURL(join(conf, "cassandra.yaml")).href}`,
        `-Dcassandra.triggers_dir=${join(conf, "triggers")}`,
        `-Dlogback.configurationFile=${join(conf, "logback.xml")}`,
        "-cp",
        [conf, join(programs, "*")].join(process.platform === "win32" ? ";" : ":"),
        "org.apache.cassandra.service.CassandraDaemon",
      ],
    };
  },
};

/** One node waits for nobody. Never add cassandra.unsafesystem: after SIGKILL the keyspaces are gone. */
export const systemProperties = [
  "cassandra.skip_wait_for_gossip_to_settle=0",
  "cassandra.ring_delay_ms=100",
  "cassandra.superuser_setup_delay_ms=0",
  "cassandra.consistent.rangemovement=false",
  "cassandra.load_ring_state=false",
];

/**
 * "batch" syncs before it acknowledges. "periodic", Cassandra's own default, acknowledges what it has not synced: a second's rows are lost at
 * SIGKILL, which in production other replicas hold.
 */
function commitLog({ environment }) {
  const way = environment.PENSTOCK_STACK_CASSANDRA_COMMITLOG || "batch";
  if (way === "batch") return "commitlog_sync: batch";
  if (way === "periodic") return "commitlog_sync: periodic\ncommitlog_sync_period: 1000ms";
  throw new StackProblem(
    `PENSTOCK_STACK_CASSANDRA_COMMITLOG is "${way}". Set it to batch or periodic.`,
  );
}

/** Writes `conf/cassandra.yaml` and `conf/logback.xml`. `bind` and `data` are as the node sees them. */
export function writeCassandraFiles(settings, { bind, data }) {
  const conf = join(settings.home, "cassandra/conf");
  mkdirSync(join(conf, "triggers"), { recursive: true });
  const [cql, storage] = settings.ports.cassandra;
  const path = (name) => JSON.stringify(`${data.replaceAll("\\", "/")}/${name}`);
  writeFileSync(
    join(conf, "cassandra.yaml"),
    `cluster_name: penstock
num_tokens: 1
initial_token: "0"
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
dynamic_snitch: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:${storage}"
listen_address: 127.0.0.1
rpc_address: ${bind}
broadcast_rpc_address: 127.0.0.1
storage_port: ${storage}
native_transport_port: ${cql}
start_native_transport: true
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
data_file_directories:
  - ${path("data")}
commitlog_directory: ${path("commitlog")}
saved_caches_directory: ${path("saved_caches")}
hints_directory: ${path("hints")}
cdc_raw_directory: ${path("cdc_raw")}
${commitLog(settings)}
commitlog_segment_size: 32MiB
disk_failure_policy: die
commit_failure_policy: die
memtable:
  configurations:
    trie: { class_name: TrieMemtable }
    default: { inherits: trie }
memtable_allocation_type: offheap_objects
memtable_heap_space: 512MiB
memtable_offheap_space: 512MiB
memtable_flush_writers: 1
auto_snapshot: false
hinted_handoff_enabled: false
concurrent_reads: 16
concurrent_writes: 16
native_transport_max_threads: 8
concurrent_counter_writes: 16
concurrent_compactors: 1
file_cache_size: 64MiB
key_cache_size: 16MiB
counter_cache_size: 0MiB
read_request_timeout: 20s
range_request_timeout: 30s
write_request_timeout: 20s
truncate_request_timeout: 60s
request_timeout: 30s
`,
  );
  writeFileSync(join(conf, "logback.xml"), logging);
}
