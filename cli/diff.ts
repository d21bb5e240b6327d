import { InvalidArgumentError, type Command } from "commander";
import type { Comparison, Version } from "#promote/compare.ts";
import type { DiffRow } from "#snapshots/diff.ts";
import { columns } from "./columns.ts";
import { read, withConnection } from "./connect.ts";
import { cancelled, follow } from "./follow.ts";
import { wholeNumber } from "./freeze.ts";
import { count, paint } from "./paint.ts";
import { pickTransform } from "./pick-transform.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & {
  before: Version;
  after: Version;
  key?: string[];
  snapshot?: string;
  rows: number;
};

/** `penstock diff TRANSFORM_OR_NOTEBOOK [--before …] [--after …]`; exit code 1 where the outputs differ. */
export function diffVerb(program: Command): void {
  verb(program, "diff <transform>", "Compare what two versions of a transform make of one snapshot.", [
    "diff delays",
    "diff delays --before environment:production --after working",
    "diff delays --before git:HEAD~1 --after release:8c41d0 --rows 20",
  ])
    .option("--before <version>", "git:REVISION, environment:NAME, release:HASH or working", version, {
      kind: "git",
      revision: "HEAD",
    } satisfies Version)
    .option("--after <version>", "likewise", version, { kind: "working" } satisfies Version)
    .option("--key <columns>", "pair rows by these columns (default: by their place in the snapshot)", list)
    .option("--snapshot <name>", "compare on this snapshot (default: the one the later version reads)")
    .option("--rows <number>", "print this many of the rows that differ", wholeNumber, 0)
    .action((transform: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const progress = openProgress({ isSilent: options.json ?? false });
        const { before, after, key, snapshot } = options;
        const chosen = await pickTransform(api, transform);
        const comparison = await follow<Comparison, { step: string; fraction?: number }>(
          api.compare.$post(
            {
              json: {
                ...{ ...chosen, before, after },
                ...(key ? { key } : {}),
                ...(snapshot ? { snapshot } : {}),
              },
            },
            { init: { signal: cancelled() } },
          ),
          ({ step, fraction }) => progress.show(step, fraction),
        ).finally(() => progress.end());
        if (!comparison.summary.identical) process.exitCode = 1;
        const rows =
          options.rows > 0
            ? (
                await read(
                  api.compare[":id"].rows.$get({
                    param: { id: comparison.id },
                    query: { limit: String(Math.min(options.rows, 1000)) },
                  }),
                )
              ).rows
            : [];
        if (options.json) return printJson(options.rows > 0 ? { ...comparison, differing: rows } : comparison);
        printComparison(comparison);
        // Values are what JSON carries (docs/types.md); hc's type of `unknown` is wider.
        for (const row of rows as DiffRow[]) print(rowText(row));
      }),
    );
}

function version(text: string): Version {
  if (text === "working") return { kind: "working" };
  const [kind, ...rest] = text.split(":");
  const value = rest.join(":");
  if (value && kind === "git") return { kind, revision: value };
  if (value && kind === "environment") return { kind, name: value };
  if (value && kind === "release") return { kind, hash: value };
  throw new InvalidArgumentError("Give git:REVISION, environment:NAME, release:HASH or working.");
}

function list(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}

/** The verdict, both sums, then what changed in which column and metric. */
export function printComparison({ transform, before, after, snapshot, summary, metrics, contract }: Comparison): void {
  const { rows } = summary;
  const verdict = summary.identical ? "the same output" : "the outputs differ";
  print(`${paint("bold", transform)}: ${before.label} → ${after.label} on ${snapshot.name}: ${paint("bold", verdict)}.`);
  const lines: [string, number, string][] = [
    ["=", rows.equal, "equal"],
    ["~", rows.changed, "changed"],
    ["+", rows.added, "added"],
    ["−", rows.removed, "removed"],
    ["?", rows.ambiguous.left + rows.ambiguous.right, "ambiguous (both sides)"],
  ];
  const right = { title: "", align: "right" as const };
  const left = { title: "" };
  for (const line of columns([left, right, left], lines.map(([glyph, n, word]) => [glyph, count(n), word]), "  ")) {
    print(line);
  }
  print(`  before ${sum(rows.left, [rows.equal, rows.changed, rows.removed, rows.ambiguous.left])}`);
  print(`  after  ${sum(rows.right, [rows.equal, rows.changed, rows.added, rows.ambiguous.right])}`);
  const changed = summary.columns.filter(({ status, changed }) => changed > 0 || !["key", "compared"].includes(status));
  if (changed.length > 0) {
    const body = changed.map((column) => [
      column.name,
      column.status === "typeChanged" ? `${column.leftType} → ${column.rightType}` : (column.rightType ?? column.leftType ?? ""),
      column.status === "compared" || column.status === "typeChanged" ? count(column.changed) : column.status,
      rows.left > 0 ? `${((100 * column.changed) / rows.left).toFixed(2)} %` : "",
    ]);
    print();
    for (const line of columns([{ title: "column" }, { title: "type" }, { title: "changed", align: "right" }, { title: "of rows", align: "right" }], body, "  ")) print(line);
  }
  if (metrics.length > 0) {
    const body = metrics.map(({ name, before, after, better }) => [name, number(before), number(after), better ? `${better} is better` : ""]);
    print();
    for (const line of columns([{ title: "metric" }, { title: "before", align: "right" }, { title: "after", align: "right" }, left], body, "  ")) print(line);
  }
  for (const { breaks, message } of contract) {
    print(`  ${breaks ? paint("red", "contract breaks:") : "contract:"} ${message}`);
  }
}

function sum(total: number, parts: number[]): string {
  return `${count(total)} = ${parts.map(count).join(" + ")}`;
}

function number(value: number | null): string {
  return value === null ? "–" : String(Number(value.toPrecision(6)));
}

const glyphs = { changed: "~", added: "+", removed: "−", ambiguous: "?" };

function rowText({ kind, key, before, after, changed }: DiffRow): string {
  const value = (v: unknown) => (typeof v === "string" ? v : JSON.stringify(v));
  const cells =
    kind === "changed"
      ? changed.map((name) => `${name}: ${value(before?.[name])} → ${value(after?.[name])}`)
      : Object.entries(after ?? before ?? {}).map(([name, v]) => `${name}: ${value(v)}`);
  return `${glyphs[kind]} [${key.map(value).join(", ")}]  ${cells.join("  ")}`;
}
