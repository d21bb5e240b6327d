import type { Client } from "cassandra-driver";
import type { Request } from "./encode-batch.ts";
import type { RequestKind } from "./statements.ts";

/** Operations of one kind whose rows lie on one node: they go as one request. */
export type Group = { kind: RequestKind; members: Member[]; sizeBytes: number };

export type Member = { operation: number; request: Request };

/** Cassandra logs a warning for an unlogged batch across more partitions (`unlogged_batch_across_partitions_warn_threshold`)… */
const MOST_ROWS = 10;
/** …and for one of more than 5 KiB (`batch_size_warn_threshold`), which counts twice what the parameters are. */
const MOST_BYTES = 2200;

/** Collects requests into groups; `add` gives a group once it is full, `rest` those that are not. */
export type Grouping = {
  add(operation: number, request: Request): Group | undefined;
  rest(): Group[];
};

/**
 * Ten rows in one request cost the driver and the node half of what ten requests do. Rows are grouped by the node that holds them first, so
 * that no coordinator has to pass on what is not its own. Not a transaction: each row has its own version, and may be sent again alone.
 */
export function openGrouping(nodeOf: (request: Request) => string): Grouping {
  const open = new Map<string, Group>();
  return {
    add(operation, request) {
      const kind = kindOf(request);
      const sizeBytes = sizeOf(request);
      const place = kind + nodeOf(request);
      const found = open.get(place);
      const member = { operation, request };
      if (found === undefined || found.sizeBytes + sizeBytes > MOST_BYTES) {
        open.set(place, { kind, members: [member], sizeBytes });
        return found;
      }
      found.members.push(member);
      found.sizeBytes += sizeBytes;
      if (found.members.length < MOST_ROWS) return undefined;
      open.delete(place);
      return found;
    },
    rest() {
      const left = [...open.values()];
      open.clear();
      return left;
    },
  };
}

export function kindOf({ remove, insert }: Request): RequestKind {
  if (insert === undefined) return "remove";
  return remove === undefined ? "insert" : "replace";
}

/** In parameters alone. */
export function sizeOf({ remove = [], insert = [] }: Request): number {
  let size = 0;
  for (const value of remove) size += 4 + (value instanceof Buffer ? value.length : 0);
  for (const value of insert) size += 4 + (value instanceof Buffer ? value.length : 0);
  return size;
}

/** The first replica of a request's partition; one and the same where there is but one node. `keyCells`: how many cells make the partition key. */
export function firstReplica(
  client: Client,
  keyspace: string,
  keyCells: number,
): (request: Request) => string {
  if (client.hosts.length === 1) return () => "";
  return (request) => {
    const [replica] = client.getReplicas(keyspace, partitionKey(request, keyCells)) ?? [];
    return replica?.address ?? "";
  };
}

/** As the driver routes by it: the cell alone, or each with its length before it and a zero behind. */
function partitionKey({ insert, remove }: Request, keyCells: number): Buffer {
  const cells = insert?.slice(0, keyCells) ?? remove?.slice(1, keyCells + 1) ?? [];
  const buffers = cells.filter((cell): cell is Buffer => cell instanceof Buffer);
  const [only] = buffers;
  if (buffers.length === 1 && only !== undefined) return only;
  return Buffer.concat(
    buffers.flatMap((cell) => [Buffer.from([cell.length >> 8, cell.length & 0xff]), cell, ZERO]),
  );
}

const ZERO = Buffer.from([0]);
