// `npm run bench [-- NAME…]`: one table of figures and of ratios to a reference measured in the same run.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { nodeOptions } from "../cli/node-options.mjs";
import {
  build,
  install,
  node,
  projectEnvironment,
  requireSupportedNode,
  root,
} from "../cli/prepare.mjs";
import { findChromium } from "../test/chromium.mjs";

requireSupportedNode();
install();
build();
const ran = spawnSync(
  node,
  [...nodeOptions, join(root, "bench/table.ts"), ...process.argv.slice(2)],
  {
    cwd: root,
    env: { ...projectEnvironment(), TZ: "UTC", PENSTOCK_CHROMIUM: findChromium() ?? "" },
    stdio: "inherit",
  },
);
process.exit(ran.status ?? 1);
