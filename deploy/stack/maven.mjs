// Jars from Maven, with the user's own Maven settings (mirrors, proxies). What it downloads lies in the stack's folder.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execute } from "./execute.mjs";
import { StackProblem } from "./problem.mjs";

const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

/** Path of `mvn`, or undefined. */
export function findMaven(environment = process.env) {
  const name = process.platform === "win32" ? "mvn.cmd" : "mvn";
  const homes = [environment.MAVEN_HOME, environment.M2_HOME].filter(Boolean);
  const programs = [...homes.map((home) => join(home, "bin", name)).filter(existsSync), name];
  return programs.find(
    (program) => spawnSync(program, ["--version"], { shell: isWindows() }).status === 0,
  );
}

/** Copies the coordinates (`group:artifact:version`) and everything they need at run time into `folder`. */
export async function copyJars(settings, tools, coordinates, folder) {
  await maven(settings, tools, coordinates, [
    `${plugin}:copy-dependencies`,
    "-DincludeScope=runtime",
    `-DoutputDirectory=${folder}`,
  ]);
}

/** Unpacks one archive (`group:artifact:version:type:classifier`) into `folder`. */
export async function unpackArchive(settings, tools, coordinate, folder) {
  await maven(
    settings,
    tools,
    [coordinate],
    [`${plugin}:unpack-dependencies`, `-DoutputDirectory=${folder}`],
  );
}

async function maven(settings, tools, coordinates, arguments_) {
  const repository =
    settings.environment.PENSTOCK_STACK_MAVEN_REPOSITORY || join(settings.home, "maven");
  const folder = mkdtempSync(join(tmpdir(), "penstock-"));
  writeFileSync(join(folder, "pom.xml"), pomOf(coordinates));
  const ran = await execute(
    tools.maven,
    ["-B", "-ntp", "-q", "-Dstyle.color=never", `-Dmaven.repo.local=${repository}`, ...arguments_],
    // The Java that is first on the path may be one that Maven 3 does not know.
    {
      cwd: folder,
      env: { ...settings.environment, JAVA_HOME: tools.java17 },
      shell: isWindows(),
    },
  );
  rmSync(folder, { recursive: true });
  if (ran.isDone) return;
  const reason = ran.output.split("\n").find((line) => line.startsWith("[ERROR]")) ?? ran.output;
  throw new StackProblem(
    `Maven could not fetch ${coordinates.join(", ")}. Check the network and the mirrors in Maven's settings.xml, then start again. Maven says: ${reason.slice(0, 400)}`,
  );
}

function pomOf(coordinates) {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>penstock</groupId><artifactId>stack</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${coordinates.map(dependencyOf).join("")}</dependencies></project>
`;
}

/** An archive brings all it needs within itself: its dependencies are left out. */
function dependencyOf(coordinate) {
  const [group, artifact, version, type, classifier] = coordinate.split(":");
  const names = `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>`;
  const archive = type
    ? `<type>${type}</type><classifier>${classifier}</classifier><exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>`
    : "";
  return `<dependency>${names}${archive}</dependency>`;
}

function isWindows() {
  return process.platform === "win32";
}
