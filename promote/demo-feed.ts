import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Workspace } from "#snapshots/workspace.ts";
import { startDemoFeed, type DemoFeed } from "./sync/embedded/demo-feed.ts";

const fileName = "demo-feed.yaml";

const schema = z.strictObject({
  topic: z.string().regex(/^[A-Za-z0-9][\w.-]*$/),
  path: z.string().min(1),
  from: z.iso.date(),
  recordsPerSecond: z.number().positive().max(100_000).default(300),
});

/** Starts what `demo-feed.yaml` asks for; undefined in a workspace without one, and where its data is not here. */
export async function openDemoFeed({
  root,
  paths,
}: Workspace): Promise<Result<DemoFeed | undefined>> {
  const file = join(root, fileName);
  if (!existsSync(file)) return ok(undefined);
  const read = readSettings(file);
  if (!read.ok) return read;
  const { topic, path, from, recordsPerSecond } = read.value;
  const parquet = join(root, path);
  if (!existsSync(parquet)) return ok(undefined);
  return startDemoFeed({ topic: join(paths.topics, topic), parquet, from, recordsPerSecond });
}

function readSettings(file: string): Result<z.infer<typeof schema>> {
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"));
  } catch (error) {
    return invalid(
      error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error),
    );
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  return invalid(`${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not understood"}`);
}

function invalid(reason: string) {
  return fail({
    code: "demo-feed-invalid",
    message: `${fileName} is not understood: ${reason}.`,
    hint: "Put it right, or delete it: then nothing is fed.",
    at: { file: fileName },
  });
}
