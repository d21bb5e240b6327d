import { expect, test } from "vitest";
import { openPaging } from "./paging.ts";

const text = (length: number): string => "x".repeat(length);

test("pages of small rows grow, those of large ones shrink, down to one row", () => {
  const paging = openPaging();
  for (let page = 0; page < 10; page++)
    paging.came(
      Array.from({ length: paging.rows() }, () => ({ _source: { a: [text(9), 1] } })),
      paging.rows(),
    );
  expect(paging.rows()).toBe(2000);
  paging.came([{ a: text(1 << 19) }, { a: new Uint8Array(3 << 19) }], 2);
  expect(paging.rows()).toBe(7);
  paging.came([{ a: { b: text(9 << 20) } }], 1);
  expect(paging.rows()).toBe(1);
  expect(paging.halve()).toBe(false);
});

test("a page that was too large is asked for again in halves", () => {
  const paging = openPaging();
  const rows = [];
  while (paging.halve()) rows.push(paging.rows());
  expect(rows).toEqual([32, 16, 8, 4, 2, 1]);
});
