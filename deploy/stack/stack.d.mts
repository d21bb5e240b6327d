// Types of stack.mjs, which is plain JavaScript because it runs before anything is installed.
export type ServerName = "cassandra" | "kafka" | "elasticsearch" | "registry" | "prometheus";

/** `host:port` each, but `registry`, which may be a URL with a path, and `kafkaCa`, the path of a PEM file. */
export interface StackAddresses {
  cassandra?: string;
  kafka?: string;
  /** SASL without TLS: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 for user `penstock`, password `penstock-secret`. */
  kafkaSasl?: string;
  /** TLS without SASL; `kafkaCa` is what to trust. */
  kafkaTls?: string;
  kafkaCa?: string;
  /** Sends those who ask for its brokers to the next port, where nothing listens but the proxy that a test puts there. */
  kafkaProxied?: string;
  elasticsearch?: string;
  registry?: string;
  prometheus?: string;
}

export interface ServerStatus {
  name: ServerName;
  /** `ready`, `stopped`, `frozen`, or `no answer (why)`. */
  state: string;
  way: "given" | "compose" | "processes";
  address: string;
  version?: string;
  memoryBytes?: number;
  pid?: number;
}

interface Log {
  log?: (line: string) => void;
}

/** Starts what does not run and waits until every server answers. `started` names those that did not run before. */
export function startStack(
  names?: readonly ServerName[],
  options?: Log,
): Promise<{ started: ServerName[]; addresses: StackAddresses }>;
/** Ends servers this stack started, as a shutdown would. */
export function stopStack(names?: readonly ServerName[], options?: Log): Promise<void>;
/** Stops, and deletes data, settings and logs. Downloaded programs stay. */
export function resetStack(names?: readonly ServerName[], options?: Log): Promise<void>;
/** Starts one server and waits until it answers. */
export function startServer(name: ServerName): Promise<void>;
/** Ends a server with SIGKILL, and returns once it is gone. */
export function killServer(name: ServerName): Promise<void>;
/** SIGSTOP: connections stay open, nothing answers. */
export function freezeServer(name: ServerName): Promise<void>;
/** SIGCONT. */
export function thawServer(name: ServerName): Promise<void>;
/** Addresses of the servers that are given in the environment or were started. */
export function addresses(): StackAddresses;
/** The same as environment variables (`PENSTOCK_STACK_KAFKA`, …). */
export function stackEnvironment(): Record<string, string>;
/** Why this machine cannot have the servers, in one line; undefined when it can. */
export function whyNoStack(names?: readonly ServerName[]): string | undefined;
export function stackStatus(names?: readonly ServerName[]): Promise<ServerStatus[]>;
