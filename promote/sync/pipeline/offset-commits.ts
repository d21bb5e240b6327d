import type { Source } from "../ports.ts";
import { within } from "../within.ts";

type Offset = { topic: string; partition: number; next: number; epoch: number };

const FLUSH_MS = 1000;

/** Offsets on their way to the source, one request at a time: what is finished meanwhile goes with the next. */
export type OffsetCommits = {
  /** Does not wait: the state database holds the offset already. */
  add(offset: Offset): void;
  /** Resolves when the source has been told of everything; one that is silent is not waited for. */
  flush(): Promise<void>;
};

export function openOffsetCommits(source: Pick<Source, "commit">): OffsetCommits {
  const waiting = new Map<string, Offset>();
  let sending: Promise<void> | undefined;

  async function send(): Promise<void> {
    while (waiting.size > 0) {
      const offsets = [...waiting.values()];
      waiting.clear();
      // A problem is no matter: the next commit says the same and more.
      await source.commit(offsets).catch(() => undefined);
    }
    sending = undefined;
  }

  return {
    add(offset) {
      waiting.set(JSON.stringify([offset.topic, offset.partition]), offset);
      sending ??= send();
    },
    async flush() {
      if (sending !== undefined) await within(FLUSH_MS, sending);
    },
  };
}
