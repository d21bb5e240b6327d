import { InvalidArgumentError, type Command } from "commander";
import { findWorkspace } from "./find-workspace.ts";
import { unwrap } from "#snapshots/problem.ts";

export type Common = { workspace?: string; json?: boolean };

/** A verb's command with what all of them have: `--workspace`, `--json`, an example. */
export function verb(
  program: Command,
  usage: string,
  description: string,
  examples: string[],
): Command {
  return program
    .command(usage)
    .description(description)
    .option(
      "-w, --workspace <dir>",
      "the workspace (default: the nearest one above, else ./workspace)",
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `\nExamples:\n${examples.map((line) => `  $ penstock ${line}`).join("\n")}`,
    );
}

/** The workspace this call is about, or a thrown problem. */
export function workspaceOf({ workspace }: Common): string {
  return unwrap(findWorkspace(process.cwd(), workspace));
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("Give a number from 0 to 65535 (0: any free one).");
}

/** What the verb found, for a program. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function print(text = ""): void {
  process.stdout.write(`${text}\n`);
}
