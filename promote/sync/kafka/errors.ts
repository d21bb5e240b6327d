import type { Problem } from "#snapshots/problem.ts";
import { isTlsRefusal } from "../tls-refusal.ts";

/** What a failure asks for. */
export type Failure =
  | { kind: "transient"; problem: Problem; type: string }
  /** Needs a person. */
  | { kind: "halt"; problem: Problem };

/** An answer's error code, carried like kafkajs carries its own (`type` is the protocol's name for it). */
export class KafkaError extends Error {
  readonly type: string;
  constructor(code: number, about: string) {
    const type = NAMES[code] ?? `error code ${code}`;
    super(`${about}: ${type}`);
    this.type = type;
  }
}

export const CODES = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  RECORD_LIST_TOO_LARGE: 18,
  INVALID_TIMESTAMP: 32,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
} as const;

/** https://kafka.apache.org/protocol#protocol_error_codes: those that can reach the requests written here. */
const NAMES: Record<number, string> = {
  [-1]: "UNKNOWN_SERVER_ERROR",
  1: "OFFSET_OUT_OF_RANGE",
  2: "CORRUPT_MESSAGE",
  3: "UNKNOWN_TOPIC_OR_PARTITION",
  5: "LEADER_NOT_AVAILABLE",
  6: "NOT_LEADER_OR_FOLLOWER",
  7: "REQUEST_TIMED_OUT",
  9: "REPLICA_NOT_AVAILABLE",
  10: "MESSAGE_TOO_LARGE",
  13: "NETWORK_EXCEPTION",
  17: "INVALID_TOPIC_EXCEPTION",
  18: "RECORD_LIST_TOO_LARGE",
  19: "NOT_ENOUGH_REPLICAS",
  20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  29: "TOPIC_AUTHORIZATION_FAILED",
  31: "CLUSTER_AUTHORIZATION_FAILED",
  32: "INVALID_TIMESTAMP",
  35: "UNSUPPORTED_VERSION",
  43: "UNSUPPORTED_FOR_MESSAGE_FORMAT",
  44: "POLICY_VIOLATION",
  45: "OUT_OF_ORDER_SEQUENCE_NUMBER",
  46: "DUPLICATE_SEQUENCE_NUMBER",
  47: "INVALID_PRODUCER_EPOCH",
  56: "KAFKA_STORAGE_ERROR",
  59: "UNKNOWN_PRODUCER_ID",
  74: "FENCED_LEADER_EPOCH",
  75: "UNKNOWN_LEADER_EPOCH",
  76: "UNSUPPORTED_COMPRESSION_TYPE",
  78: "OFFSET_NOT_AVAILABLE",
  87: "INVALID_RECORD",
  100: "UNKNOWN_TOPIC_ID",
  103: "INCONSISTENT_TOPIC_ID",
};

const HALTING: Record<string, { code: string; hint: string }> = {
  TOPIC_AUTHORIZATION_FAILED: {
    code: "kafka-not-authorised",
    hint: "Have the topic's read or write access (ACL) given to this user, then resume the pipeline.",
  },
  GROUP_AUTHORIZATION_FAILED: {
    code: "kafka-not-authorised",
    hint: "Have read access (ACL) to the consumer group given to this user, then resume the pipeline.",
  },
  CLUSTER_AUTHORIZATION_FAILED: {
    code: "kafka-not-authorised",
    hint: "Have IdempotentWrite on the cluster (ACL) given to this user, then resume the pipeline.",
  },
  KafkaJSSASLAuthenticationError: {
    code: "kafka-login-refused",
    hint: "Check user name, mechanism and the password's environment variable in the environment's file, then start again.",
  },
  SASL_AUTHENTICATION_FAILED: {
    code: "kafka-login-refused",
    hint: "Check user name, mechanism and the password's environment variable in the environment's file, then start again.",
  },
  UNSUPPORTED_SASL_MECHANISM: {
    code: "kafka-login-refused",
    hint: "Name a SASL mechanism that the broker's listener offers, then start again.",
  },
  INVALID_TOPIC_EXCEPTION: {
    code: "kafka-topic-name",
    hint: "A topic's name has letters, digits, `.`, `_` and `-`, at most 249 of them.",
  },
  CORRUPT_MESSAGE: {
    code: "kafka-log-damaged",
    hint: "Have the broker's log checked or restored from a replica, then resume the pipeline.",
  },
  INCONSISTENT_GROUP_PROTOCOL: {
    code: "kafka-group-taken",
    hint: "Consumers of another kind are in this group. Give the pipeline a group of its own.",
  },
  INVALID_SESSION_TIMEOUT: {
    code: "kafka-session-timeout",
    hint: "Set kafka's `sessionTimeoutMs` in the environment's file to one that the brokers allow (6,000 to 1,800,000 as a rule), then start again.",
  },
  POLICY_VIOLATION: {
    code: "kafka-policy",
    hint: "Make the topic by hand as the cluster's policy asks, then resume the pipeline.",
  },
};

/** Sorts what kafkajs or the sockets threw. What is not known to need a person is tried again. */
export function failureOf(cause: unknown, doing: string): Failure {
  const root = rootOf(cause);
  const message = root instanceof Error ? root.message : String(root);
  const halting = HALTING[typeOf(root)] ?? (isTlsRefusal(root) ? TLS : undefined);
  const text = `Kafka: ${doing} failed: ${message.replace(/\.$/, "")}.`;
  if (halting !== undefined)
    return { kind: "halt", problem: { code: halting.code, message: text, hint: halting.hint } };
  const problem = { code: "kafka-unavailable", message: text };
  return { kind: "transient", problem, type: typeOf(root) };
}

const TLS = {
  code: "kafka-tls",
  hint: "Check `tls` in the environment's file: the broker's certificate must be signed by that `ca` and name its host.",
};

/** The protocol's name of an error, else the class's. */
export function typeOf(cause: unknown): string {
  const root = rootOf(cause);
  if (!(root instanceof Error)) return "";
  return "type" in root && typeof root.type === "string" ? root.type : root.name;
}

/** kafkajs wraps what it gave up retrying. */
function rootOf(cause: unknown): unknown {
  let root = cause;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root;
}
