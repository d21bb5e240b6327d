// The Java installations of this machine. Cassandra 5 runs on 17 and on nothing newer; Elasticsearch 9 wants 21 or newer.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const suffix = process.platform === "win32" ? ".exe" : "";
/** The newest Java these server versions were tried with. */
const newestTried = 25;

/** Path of one of a JDK's programs: `java`, `javac`, `jar`, `keytool`. */
export function javaProgram(home, name) {
  return join(home, "bin", `${name}${suffix}`);
}

/** `{ java17, java21 }`: homes of a Java 17 and of a JDK ≥ 21 with its compiler; undefined where there is none. */
export function findJava(environment = process.env) {
  const found = installations(environment);
  const newer = found
    .filter(({ home, major }) => major >= 21 && existsSync(javaProgram(home, "javac")))
    .toSorted(
      (a, b) => Number(a.major > newestTried) - Number(b.major > newestTried) || b.major - a.major,
    );
  return { java17: found.find(({ major }) => major === 17)?.home, java21: newer[0]?.home };
}

function installations(environment) {
  const named = Object.entries(environment)
    .filter(
      ([name, value]) => value && /^(JAVA_?\d*_HOME|JAVA_HOME_\d+_\w+|JDK_?\d*_HOME)$/.test(name),
    )
    .map(([, home]) => home);
  const homes = new Set();
  for (const home of [...named, homeOnPath(), ...conventionalHomes(environment)]) {
    if (home && existsSync(javaProgram(home, "java"))) homes.add(realpathSync(home));
  }
  return [...homes].map((home) => ({ home, major: majorVersion(home) }));
}

function homeOnPath() {
  return javaProperty("java", "java.home");
}

function javaProperty(program, name) {
  const ran = spawnSync(program, ["-XshowSettings:properties", "-version"], { encoding: "utf8" });
  const line = (ran.stderr ?? "").split("\n").find((line) => line.trim().startsWith(`${name} =`));
  return line?.split("=")[1]?.trim();
}

function conventionalHomes(environment) {
  const programFiles = environment.ProgramFiles ?? "C:\\Program Files";
  const parents = {
    linux: ["/usr/lib/jvm", "/opt"],
    darwin: ["/Library/Java/JavaVirtualMachines"],
    win32: ["Java", "Eclipse Adoptium", "Microsoft", "Zulu"].map((name) =>
      join(programFiles, name),
    ),
  };
  return [...(parents[process.platform] ?? []), join(homedir(), ".sdkman/candidates/java")]
    .filter((parent) => existsSync(parent))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .map((home) => (process.platform === "darwin" ? join(home, "Contents/Home") : home));
}

function majorVersion(home) {
  const release = join(home, "release");
  const text = existsSync(release)
    ? /^JAVA_VERSION="([^"]+)"/m.exec(readFileSync(release, "utf8"))?.[1]
    : javaProperty(javaProgram(home, "java"), "java.version");
  return Number((text ?? "0").replace(/^1\./, "").split(/[.+-]/)[0]);
}
