import type { TopicMetadata } from "./metadata.ts";

/** What differs between the topics this worker knows and those there are. */
export type Changes = {
  /** Made again under their old names. */
  remade: string[];
  /** A topic or partition more or less: the group must deal again. */
  isRedealt: boolean;
};

type Topics = ReadonlyMap<string, Pick<TopicMetadata, "id" | "partitions">>;

/**
 * `dealt`: partitions by topic when the group last dealt them. `heldIds`: the id under which each held topic is read.
 */
export function changesOf(
  dealt: ReadonlyMap<string, number>,
  heldIds: ReadonlyMap<string, string>,
  now: Topics,
): Changes {
  const remade: string[] = [];
  for (const [topic, id] of heldIds) {
    const found = now.get(topic);
    if (found !== undefined && found.id !== id) remade.push(topic);
  }
  const names = new Set([...dealt.keys(), ...now.keys()]);
  const isRedealt = [...names].some(
    (topic) =>
      now.has(topic) && (dealt.get(topic) ?? 0) !== (now.get(topic)?.partitions.length ?? 0),
  );
  return { remade, isRedealt };
}
