// What the plain-process way needs from the machine.
import { findJava } from "./java.mjs";
import { findMaven } from "./maven.mjs";

const names = {
  java17: "Java 17 (JAVA17_HOME)",
  java21: "a JDK 21 or newer (JAVA21_HOME)",
  maven: "Maven (mvn on the path)",
};

/** `{ java17, java21, maven }`, undefined where the machine has none. */
export function findTools(environment = process.env) {
  return { ...findJava(environment), maven: findMaven(environment) };
}

/** What of `needs` is not there, in words; empty when all is. */
export function missingTools(tools, needs = Object.keys(names)) {
  return needs.filter((need) => !tools[need]).map((need) => names[need]);
}
