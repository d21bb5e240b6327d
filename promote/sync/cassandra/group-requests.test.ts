import { expect, test } from "vitest";
import type { Request } from "./encode-batch.ts";
import { openGrouping } from "./group-requests.ts";

const insert = (bytes = 8): Request => ({ insert: [Buffer.alloc(bytes)] });
const remove: Request = { remove: [Buffer.alloc(8)] };
const replace: Request = { ...remove, ...insert() };

/** Kinds and operations of the groups that requests come to, those that were full first. */
function grouped(requests: Request[], nodeOf: (request: Request) => string = () => ""): string[] {
  const grouping = openGrouping(nodeOf);
  const full = requests.flatMap((request, i) => grouping.add(i, request) ?? []);
  return [...full, ...grouping.rest()].map(
    ({ kind, members }) => `${kind} ${members.map(({ operation }) => operation).join(",")}`,
  );
}

test("ten rows of one kind go as one request, the rest as another", () => {
  const twelve = Array.from({ length: 12 }, () => insert());
  expect(grouped(twelve)).toEqual(["insert 0,1,2,3,4,5,6,7,8,9", "insert 10,11"]);
});

test("kinds do not mix", () => {
  expect(grouped([insert(), remove, replace, insert(), remove])).toEqual([
    "insert 0,3",
    "remove 1,4",
    "replace 2",
  ]);
});

test("rows of different nodes do not mix", () => {
  const nodeOf = ({ insert }: Request): string => (insert === undefined ? "" : `${insert.length}`);
  const two: Request = { insert: [Buffer.alloc(1), Buffer.alloc(1)] };
  expect(grouped([insert(), two, insert(), two], nodeOf)).toEqual(["insert 0,2", "insert 1,3"]);
});

test("a group stays small enough for Cassandra not to warn of it", () => {
  expect(grouped([insert(1000), insert(1000), insert(1000), insert(90_000), insert()])).toEqual([
    "insert 0,1",
    "insert 2",
    "insert 3",
    "insert 4",
  ]);
});
