// A schema registry with Confluent's API: Apicurio, its schemas in an H2 file.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { javaProgram } from "./java.mjs";
import { unpackArchive } from "./maven.mjs";

const version = "3.3.3";

export const registry = {
  name: "registry",
  title: "schema registry",
  version,
  needs: ["maven", "java17", "java21"],
  addresses: (settings) => ({
    address: `http://127.0.0.1:${settings.ports.registry[0]}/apis/ccompat/v7`,
  }),
  programFolder: () => `apicurio-${version}`,
  install: (settings, tools, folder) =>
    unpackArchive(
      settings,
      tools,
      `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
      folder,
    ),
  prepare(settings, tools, { folder }) {
    mkdirSync(join(folder, "data"), { recursive: true });
  },
  command(settings, tools, { folder, programs }) {
    const [http, management] = settings.ports.registry;
    return {
      program: javaProgram(tools.java21, "java"),
      arguments: [
        ..."-Xms64m -Xmx256m -XX:TieredStopAtLevel=1".split(" "),
        "-Dquarkus.http.host=127.0.0.1",
        `-Dquarkus.http.port=${http}`,
        "-Dquarkus.management.host=127.0.0.1",
        `-Dquarkus.management.port=${management}`,
        "-Dapicurio.storage.sql.kind=h2",
        `-Dapicurio.datasource.url=${databaseUrl(join(folder, "data"))}`,
        "-jar",
        join(programs, "quarkus-run.jar"),
      ],
    };
  },
};

/** H2 writes half a second after it acknowledges, unless it is told not to wait: SIGKILL would lose schemas. */
export function databaseUrl(folder) {
  return `jdbc:h2:file:${folder.replaceAll("\\", "/")}/registry;WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE`;
}
