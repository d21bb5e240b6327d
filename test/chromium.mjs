// The browser the browser tests drive: the system's Chromium, or one installed here.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { root, projectEnvironment, stop } from "../cli/prepare.mjs";

const places = [
  process.env.PENSTOCK_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Path of a Chromium, or undefined. */
export function findChromium() {
  return places.find((place) => place && existsSync(place));
}

/** Installs Chromium the way this machine offers, and gives its path. Ends the program when there is none. */
export function installChromium() {
  console.log("Installing Chromium for the browser tests…");
  const canUseApt = existsSync("/usr/bin/apt-get") && process.getuid?.() === 0;
  if (canUseApt) {
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    run("apt-get", ["update", "-qq"], environment);
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], environment);
  } else {
    run("playwright", ["install", "chromium"], projectEnvironment());
  }
  const found = findChromium() ?? playwrightChromium();
  if (!found) {
    stop(
      "no Chromium could be installed. Install one and name it in PENSTOCK_CHROMIUM, then run npm test again.",
    );
  }
  return found;
}

function run(program, arguments_, environment) {
  spawnSync(program, arguments_, {
    cwd: root,
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function playwrightChromium() {
  const script = "import('@playwright/test').then((p) => console.log(p.chromium.executablePath()))";
  const ran = spawnSync("node", ["-e", script], {
    cwd: root,
    env: projectEnvironment(),
    encoding: "utf8",
  });
  const path = ran.stdout.trim();
  return path && existsSync(path) ? path : undefined;
}
