import { Command, CommanderError } from "commander";
import { explain } from "./explain.ts";
import { approveVerb } from "./approve.ts";
import { backfillVerb } from "./backfill.ts";
import { deadLettersVerb } from "./dead-letters.ts";
import { diffVerb } from "./diff.ts";
import { environmentsVerb } from "./environments.ts";
import { freezeVerb } from "./freeze.ts";
import { generationsVerb } from "./generations.ts";
import { initVerb } from "./init.ts";
import { openVerb } from "./open.ts";
import { promoteVerb } from "./promote.ts";
import { replayVerb } from "./replay.ts";
import { refuseEmpty } from "./refuse-empty.ts";
import { registerVerb } from "./register.ts";
import { releaseVerb } from "./release.ts";
import { rollbackVerb } from "./rollback.ts";
import { runVerb } from "./run.ts";
import { statusVerb } from "./status.ts";
import { syncVerb } from "./sync.ts";
import { printJson } from "./verb.ts";
import { verifyVerb } from "./verify.ts";
import manifest from "../package.json" with { type: "json" };

const seeHelp = "Say --help for what there is.";
const program = new Command("penstock")
  .description("Frozen snapshots, compared outcomes, promoted transforms.")
  .version(manifest.version)
  .showHelpAfterError(seeHelp)
  .exitOverride()
  .configureHelp({ showGlobalOptions: false })
  .hook("preAction", (_, command) => refuseEmpty(command))
  .addHelpText(
    "after",
    "\nExit codes: 0 done, 1 a difference or a failed check, 2 could not do it.\n\nThe way of a transform:\n  $ penstock init my-workspace --demo && cd my-workspace\n  $ penstock run delays\n  $ penstock diff delays\n  $ penstock release delays\n  $ penstock promote delays --to staging",
  );

for (const add of [
  initVerb,
  freezeVerb,
  runVerb,
  diffVerb,
  releaseVerb,
  approveVerb,
  promoteVerb,
  rollbackVerb,
  environmentsVerb,
  syncVerb,
  verifyVerb,
  deadLettersVerb,
  replayVerb,
  backfillVerb,
  generationsVerb,
  registerVerb,
  statusVerb,
  openVerb,
]) {
  add(program);
}

// `penstock status | head -1` closes our output early: that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? Number(process.exitCode) || 0 : 2);
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    if (process.exitCode === 2 && process.argv.includes("--json")) {
      const message = error.message.replace(/^error: /, "");
      printJson({ problem: { code: "usage", message, hint: seeHelp } });
    }
  } else process.exitCode = explain(error, { asJson: process.argv.includes("--json") });
}
// A reader that is slower than we are has all of it before we go.
for (const stream of [process.stdout, process.stderr])
  await new Promise((resolve) => stream.write("", resolve));
// Everything was closed; what still lingers (a pooled connection) is not worth waiting for.
process.exit();
