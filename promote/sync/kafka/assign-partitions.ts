/** What a member of the group reads: topics by name. */
export type Subscription = { memberId: string; topics: readonly string[] };

/** Topic → partitions. */
export type Share = Record<string, number[]>;

/**
 * Deals every partition to a member that subscribes to its topic, one each in turn. Same members and topics, same deal, whoever leads the group.
 */
export function assignPartitions(
  subscriptions: readonly Subscription[],
  partitions: ReadonlyMap<string, number>,
): Map<string, Share> {
  const members = subscriptions.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const shares = new Map(members.map((member): [string, Share] => [member.memberId, {}]));
  let turn = 0;
  for (const topic of [...partitions.keys()].toSorted()) {
    const readers = members.filter((member) => member.topics.includes(topic));
    if (readers.length === 0) continue;
    for (let partition = 0; partition < (partitions.get(topic) ?? 0); partition++) {
      const reader = readers[turn++ % readers.length];
      const share = shares.get(reader?.memberId ?? "");
      if (share !== undefined) (share[topic] ??= []).push(partition);
    }
  }
  return shares;
}
