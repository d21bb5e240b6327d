import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import { z } from "zod";
import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { Workspace } from "#snapshots/workspace.ts";
import type { Environment } from "./environment-schema.ts";
import { feedTopic, type DemoFeedOptions, type FeedTopic } from "./sync/embedded/demo-feed.ts";
import { openFileLogWriter } from "./sync/embedded/file-log.ts";

type Variables = Readonly<Record<string, string | undefined>>;

const fileName = "demo-feed.yaml";

const schema = z.strictObject({
  topic: z.string().regex(/^[A-Za-z0-9][\w.-]*$/),
  path: z.string().min(1),
  from: z.iso.date(),
  recordsPerSecond: z.number().positive().max(100_000).default(300),
});

/** The demo's feeds: one for each place that environments read the demo's topic from. */
export type DemoFeeds = {
  /** Begins what the environments need and ends the rest. */
  follow(environments: readonly Environment[]): void;
  /** Why nothing is fed, if so. */
  problem(): Problem | undefined;
  stop(): Promise<void>;
};

type Feed = { stop: AbortController; problem: Problem | undefined; done: Promise<void> };

/** Who aborts does not wait for the topic any more. */
type OpenFeedTopic = (signal: AbortSignal) => Promise<Result<FeedTopic>>;

const AGAIN_MS = 3000;

/** Feeds what `demo-feed.yaml` asks for; nothing in a workspace without one, and where its data is not here. */
export function openDemoFeeds({ root, paths }: Workspace, variables: Variables): DemoFeeds {
  const file = join(root, fileName);
  const read = existsSync(file) ? readSettings(file) : undefined;
  const settings = read?.ok ? read.value : undefined;
  const isFed = settings !== undefined && existsSync(join(root, settings.path));
  const feeds = new Map<string, Feed>();

  function begin(open: OpenFeedTopic, options: DemoFeedOptions): Feed {
    const feed: Feed = { stop: new AbortController(), problem: undefined, done: Promise.resolve() };
    feed.done = keepFeeding(feed, open, options);
    return feed;
  }

  return {
    follow(environments) {
      if (!isFed) return;
      const { topic, path, from, recordsPerSecond } = settings;
      const wanted = new Map<string, OpenFeedTopic>();
      if (environments.length === 0 || environments.some(({ kind }) => kind === "embedded"))
        wanted.set("embedded", () =>
          openFileLogWriter(join(paths.topics, topic), { fsync: "always" }),
        );
      for (const environment of environments) {
        if (environment.kind !== "servers") continue;
        const { kafka } = environment;
        wanted.set(JSON.stringify(kafka), async (signal) => {
          const { openKafkaFeedTopic } = await import("./sync/kafka/feed-topic.ts");
          return openKafkaFeedTopic(topic, kafka, { root, variables }, signal);
        });
      }
      for (const [key, feed] of feeds) {
        if (wanted.has(key)) continue;
        feed.stop.abort();
        feeds.delete(key);
      }
      for (const [key, open] of wanted) {
        if (feeds.has(key)) continue;
        feeds.set(key, begin(open, { parquet: join(root, path), from, recordsPerSecond }));
      }
    },
    problem() {
      if (read !== undefined && !read.ok) return read.problem;
      return [...feeds.values()].find((feed) => feed.problem !== undefined)?.problem;
    },
    async stop() {
      for (const { stop } of feeds.values()) stop.abort();
      await Promise.all([...feeds.values()].map(({ done }) => done));
    },
  };
}

/** Servers may come up after Penstock: a topic that cannot be opened is tried again. */
async function keepFeeding(
  feed: Feed,
  open: OpenFeedTopic,
  options: DemoFeedOptions,
): Promise<void> {
  const { signal } = feed.stop;
  while (!signal.aborted) {
    const opened = await tried(() => open(signal));
    if (opened.ok) {
      const fed = feedTopic(opened.value, options);
      signal.addEventListener("abort", () => void fed.stop(), { once: true });
      if (signal.aborted) await fed.stop();
      const look = setInterval(() => (feed.problem = fed.problem()), 500);
      await fed.done;
      clearInterval(look);
      return;
    }
    feed.problem = opened.problem;
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function tried(open: () => Promise<Result<FeedTopic>>): Promise<Result<FeedTopic>> {
  try {
    return await open();
  } catch (cause) {
    if (cause instanceof ProblemError) return fail(cause.problem);
    throw cause;
  }
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
