import kafkajs from "kafkajs";
import { assignPartitions } from "./assign-partitions.ts";
import type { KafkaClient } from "./client.ts";
import { typeOf } from "./errors.ts";
import type { Node } from "./internals.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

export type GroupOptions = {
  groupId: string;
  sessionTimeoutMs: number;
  /** How long the group waits for a member to finish what it holds and come back. */
  rebalanceTimeoutMs: number;
};

export type TopicPartition = { topic: string; partition: number };

export type Committed = TopicPartition & { offset: number; note: string };

/**
 * One member of a consumer group (classic protocol, eager: at a rebalance every member gives up all it has, then joins again).
 * Nothing here retries; errors are kafkajs's.
 */
export type Member = {
  /** Resolves when the whole group has joined. The leader deals out the partitions. */
  join(
    topics: readonly string[],
    partitions: () => Promise<ReadonlyMap<string, number>>,
  ): Promise<TopicPartition[]>;
  isLeader(): boolean;
  /** Answers whether the group wants this member to join again. */
  beat(): Promise<"stay" | "rejoin">;
  committed(partitions: readonly TopicPartition[]): Promise<Committed[]>;
  commit(offsets: readonly Committed[]): Promise<void>;
  leave(): Promise<void>;
};

const PROTOCOL = "penstock";
/** The member is out, or its share is another's. */
const REJOIN = new Set([
  "REBALANCE_IN_PROGRESS",
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
  "FENCED_INSTANCE_ID",
]);

export function openMember(client: KafkaClient, options: GroupOptions): Member {
  const { groupId } = options;
  let memberId = "";
  let leaderId = "";
  let generation = -1;
  let coordinator: Node | undefined;

  async function asked<T>(request: (node: Node) => Promise<T>): Promise<T> {
    coordinator ??= await client.coordinator(groupId);
    try {
      return await request(await client.node(Number(coordinator.nodeId)));
    } catch (cause) {
      if (!REJOIN.has(typeOf(cause))) coordinator = undefined;
      if (typeOf(cause) === "UNKNOWN_MEMBER_ID") memberId = "";
      throw cause;
    }
  }

  return {
    async join(topics, partitions) {
      const { sessionTimeoutMs: sessionTimeout, rebalanceTimeoutMs: rebalanceTimeout } = options;
      const metadata = MemberMetadata.encode({
        version: 0,
        topics: [...topics],
        userData: Buffer.alloc(0),
      });
      const groupProtocols = [{ name: PROTOCOL, metadata }];
      const joined = await asked((node) =>
        node.joinGroup({ groupId, sessionTimeout, rebalanceTimeout, memberId, groupProtocols }),
      );
      memberId = joined.memberId;
      leaderId = joined.leaderId;
      generation = joined.generationId;
      const groupAssignment = memberId === leaderId ? deal(joined.members, await partitions()) : [];
      const synced = await asked((node) =>
        node.syncGroup({ groupId, generationId: generation, memberId, groupAssignment }),
      );
      const share = MemberAssignment.decode(synced.memberAssignment)?.assignment ?? {};
      return Object.entries(share).flatMap(([topic, numbers]) =>
        numbers.map((partition) => ({ topic, partition })),
      );
    },
    isLeader: () => memberId !== "" && memberId === leaderId,
    async beat() {
      try {
        await asked((node) => node.heartbeat({ groupId, memberId, groupGenerationId: generation }));
        return "stay";
      } catch (cause) {
        if (REJOIN.has(typeOf(cause))) return "rejoin";
        throw cause;
      }
    },
    async committed(partitions) {
      const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, some]) => ({
        topic,
        partitions: some.map(({ partition }) => ({ partition })),
      }));
      const { responses } = await asked((node) => node.offsetFetch({ groupId, topics }));
      return responses.flatMap((answer) =>
        answer.partitions.map(({ partition, offset, metadata }) => ({
          topic: answer.topic,
          partition,
          offset: Number(offset),
          note: metadata ?? "",
        })),
      );
    },
    async commit(offsets) {
      const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, some]) => ({
        topic,
        partitions: some.map(({ partition, offset, note }) => ({
          partition,
          offset: String(offset),
          metadata: note,
        })),
      }));
      await asked((node) =>
        node.offsetCommit({ groupId, memberId, groupGenerationId: generation, topics }),
      );
    },
    async leave() {
      if (memberId === "") return;
      await asked((node) => node.leaveGroup({ groupId, memberId }));
      memberId = "";
    },
  };
}

function deal(
  members: readonly { memberId: string; memberMetadata: Buffer }[],
  partitions: ReadonlyMap<string, number>,
): { memberId: string; memberAssignment: Buffer }[] {
  const subscriptions = members.map(({ memberId, memberMetadata }) => ({
    memberId,
    topics: MemberMetadata.decode(memberMetadata)?.topics ?? [],
  }));
  return [...assignPartitions(subscriptions, partitions)].map(([memberId, assignment]) => ({
    memberId,
    memberAssignment: MemberAssignment.encode({
      version: 0,
      assignment,
      userData: Buffer.alloc(0),
    }),
  }));
}
