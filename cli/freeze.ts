import { InvalidArgumentError, Option, type Command } from "commander";
import { nameSchema, type SnapshotManifest } from "#snapshots/workspace.ts";
import { withConnection } from "./connect.ts";
import { cancelled, follow } from "./follow.ts";
import { bytes, counted } from "./paint.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { label: string; sample?: number; seed: number };

/** `penstock freeze SOURCE --label LABEL [--sample FRACTION --seed N]` */
export function freezeVerb(program: Command): void {
  verb(program, "freeze <source>", "Freeze a source into a snapshot that never changes.", [
    "freeze flights --label 2001q1",
    "freeze flights --label tenth --sample 10% --seed 42",
  ])
    .addOption(
      new Option("-l, --label <label>", "what stands after the @")
        .default(today(), "today's date")
        .argParser(label),
    )
    .option("--sample <share>", "keep a share of the rows: 0.1 or 10%", share)
    .option("--seed <number>", "which rows a sample keeps", wholeNumber, 42)
    .action(async (source: string, options: Options) => {
      const workspace = workspaceOf(options);
      const progress = openProgress({ isSilent: options.json ?? false });
      const { label, sample, seed } = options;
      progress.show(`Freezing ${source}@${label}`);
      const done = await withConnection(workspace, ({ api }) =>
        follow<{ snapshot: SnapshotManifest; reused: boolean }>(
          api.snapshots.$post(
            {
              json: {
                source,
                label,
                ...(sample === undefined ? {} : { sample: { fraction: sample, seed } }),
              },
            },
            { init: { signal: cancelled() } },
          ),
          ({ fraction }) => progress.show(`Freezing ${source}@${label}`, fraction),
        ),
      ).finally(() => progress.end());
      if (options.json) return printJson(done);
      const { name, rows, sizeBytes, hash } = done.snapshot;
      const how = done.reused
        ? "The same data was frozen before; it is kept once."
        : bytes(sizeBytes);
      print(`${name}  ${counted(rows, "row")}  ${hash.slice(0, 12)}  ${how}`);
    });
}

function label(text: string): string {
  const parsed = nameSchema.safeParse(text);
  if (parsed.success) return text;
  throw new InvalidArgumentError(
    "Begin with a letter or a digit; use letters, digits, dot, dash and underscore only.",
  );
}

function share(text: string): number {
  const value = text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (value > 0 && value <= 1) return Number(value.toPrecision(12));
  throw new InvalidArgumentError("Give a share above 0 and up to 1, as 0.1 or 10%.");
}

export function wholeNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number.");
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
