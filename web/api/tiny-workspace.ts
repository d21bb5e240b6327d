import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { git } from "#promote/git.ts";
import { unwrap } from "#snapshots/problem.ts";

const trips = ["id,city,minutes"];
for (let id = 0; id < 200; id += 1)
  trips.push(`${id},${["Oslo", "Rome", "Lima"][id % 3]},${(id * 7) % 60}`);

const notebook = `// %%
import { metric, snapshot, transform } from "penstock";
// %%
const trips = snapshot("trips@one");
// %%
export const slow = transform(trips, (trip) =>
  trip.city === "Lima" ? null : { ...trip, isSlow: (trip.minutes ?? 0) > 30 },
);
// %%
metric.mean("slow share", slow, (row) => (row.isSlow ? 1 : 0), { better: "lower" });
`;

const files: Record<string, string> = {
  "penstock.yaml": "name: tiny\n",
  ".gitignore": ".penstock/\n",
  "sources/trips.yaml": "format: csv\npath: data/trips.csv\nidentity: [id]\ntopic: trips\n",
  "data/trips.csv": `${trips.join("\n")}\n`,
  "notebooks/slow.ts": notebook,
  "environments/staging.yaml": "kind: embedded\napprovals: 0\npipelines: {}\n",
  "environments/production.yaml": "kind: embedded\napprovals: 1\npipelines: {}\n",
};

/** For tests: a committed workspace of 200 rows and one notebook, in a folder of its own. Nothing is frozen yet. */
export async function tinyWorkspace(): Promise<{ dir: string; remove(): void }> {
  const dir = mkdtempSync(join(tmpdir(), "penstock-tiny-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const repository = git(dir);
  unwrap(await repository.init());
  const author = { name: "Ada", email: "ada@example.org" };
  unwrap(await repository.commitFiles({ files, message: "Begin tiny", author }));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Replaces text in a file of the workspace, which must be there. */
export function edit(dir: string, path: string, from: string, to: string): void {
  const text = readFileSync(join(dir, path), "utf8");
  if (!text.includes(from)) throw new Error(`${path} does not hold ${from}`);
  writeFileSync(join(dir, path), text.replace(from, to));
}

/** Names in a folder of the workspace, for "nothing is left behind". */
export function namesIn(dir: string, path: string): string[] {
  return readdirSync(join(dir, path)).toSorted();
}
