import { topicMatch, type TopicChoice } from "#snapshots/topic-choice.ts";
import type { TopicReader } from "./ports.ts";

/** The topics a pipeline reads, as they are now. */
export async function topicsOf(
  choice: TopicChoice,
  reader: Pick<TopicReader, "topicsLike">,
): Promise<readonly string[]> {
  const match = topicMatch(choice);
  if (!(match instanceof RegExp)) return match;
  return (await reader.topicsLike?.(match)) ?? [];
}
