import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** A segment is named for the offset of its first record, so that a sorted list of names is a sparse index. */
export type Segment = { path: string; baseOffset: number };

export function segmentPath(directory: string, baseOffset: number): string {
  return join(directory, `${String(baseOffset).padStart(16, "0")}.log`);
}

export function listSegments(directory: string): Segment[] {
  return entries(directory)
    .filter((name) => /^\d{16}\.log$/.test(name))
    .toSorted()
    .map((name) => ({ path: join(directory, name), baseOffset: Number(name.slice(0, 16)) }));
}

/** The last segment that begins at or before `offset`. */
export function segmentFor(segments: readonly Segment[], offset: number): Segment | undefined {
  return segments.findLast((segment) => segment.baseOffset <= offset) ?? segments[0];
}

const identitySchema = z.object({ format: z.literal(1), incarnation: z.string().min(1) });

/** A topic's identity, which a topic made again does not share; undefined where there is none yet. */
export function readIncarnation(directory: string): string | undefined {
  try {
    return identitySchema.parse(JSON.parse(readFileSync(join(directory, "topic.json"), "utf8")))
      .incarnation;
  } catch {
    return undefined;
  }
}

export function ensureTopic(directory: string, newId: () => string = randomUUID): string {
  mkdirSync(directory, { recursive: true });
  const existing = readIncarnation(directory);
  if (existing !== undefined) return existing;
  const incarnation = newId();
  const temporary = join(directory, `topic.json.${process.pid}`);
  writeFileSync(temporary, JSON.stringify({ format: 1, incarnation }), { flush: true });
  renameSync(temporary, join(directory, "topic.json"));
  return incarnation;
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
