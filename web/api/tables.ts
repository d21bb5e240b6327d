import { Hono } from "hono";
import { z } from "zod";
import type { Workbench } from "#promote/workbench.ts";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import type { TableInfo } from "#snapshots/table.ts";
import { count, flag, path, query, tableHash } from "./door.ts";
import { jsonSafe } from "./long-work.ts";

/** A table is named by its content: what is read of it never changes. */
const forever = "private, max-age=3600, immutable";

/** What a grid asks at once; more would only be thrown away unseen. */
const windowRows = 10_000;

const windowQuery = z.object({
  offset: count({ default: 0, max: Number.MAX_SAFE_INTEGER }),
  limit: count({ default: 100, max: windowRows }),
  /** Comma-separated names; all when absent. A name with a comma is given as its own `columns=`. */
  columns: z.union([z.string(), z.array(z.string())]).optional(),
  sort: z.string().optional(),
  descending: flag,
});

/** Tables by content: what they are, the rows a page shows, and how their values are distributed. */
export function tableRoutes(workbench: Workbench) {
  const { store, queries } = workbench;
  const params = path(z.object({ hash: tableHash }));

  function tableAt(hash: string): TableInfo {
    const info = store.tableInfo(hash);
    if (info) return info;
    throw new ProblemError({
      code: "table-not-found",
      message: `No table with hash ${hash.slice(0, 12)} is kept here.`,
      hint: "Run the cell that makes it, or freeze its snapshot, again.",
    });
  }

  return new Hono()
    .get("/:hash", params, (c) => c.json(tableAt(c.req.valid("param").hash)))
    .get("/:hash/rows", params, query(windowQuery), async (c) => {
      const info = tableAt(c.req.valid("param").hash);
      const { offset, limit, columns, sort, descending } = c.req.valid("query");
      if (sort !== undefined) requireColumn(info, sort);
      const names = columnsOf(info, columns);
      const window = unwrap(
        await queries.window({
          table: info.hash,
          offset,
          limit,
          ...(names ? { columns: names } : {}),
          ...(sort === undefined ? {} : { orderBy: { column: sort, descending } }),
        }),
      );
      return c.body(new Uint8Array(window.ipc), 200, {
        "content-type": "application/vnd.apache.arrow.stream",
        "cache-control": forever,
        "x-penstock-rows": String(window.rows),
        "x-penstock-total": String(window.total),
      });
    })
    .get(
      "/:hash/profile",
      params,
      query(z.object({ columns: windowQuery.shape.columns })),
      async (c) => {
        const info = tableAt(c.req.valid("param").hash);
        const names = columnsOf(info, c.req.valid("query").columns);
        const columns = unwrap(
          await queries.profile({ table: info.hash, ...(names ? { columns: names } : {}) }),
        );
        c.header("cache-control", forever);
        return c.json({ columns: JSON.parse(JSON.stringify(columns, jsonSafe)) as typeof columns });
      },
    );
}

function columnsOf(info: TableInfo, asked: string | string[] | undefined): string[] | undefined {
  if (asked === undefined || asked === "") return undefined;
  const known = new Set(info.columns.map((column) => column.name));
  const names = (Array.isArray(asked) ? asked : [asked]).flatMap((text) =>
    known.has(text) ? [text] : text.split(","),
  );
  for (const column of names) requireColumn(info, column);
  return names;
}

function requireColumn(info: TableInfo, column: string): void {
  if (info.columns.some(({ name }) => name === column)) return;
  throw new ProblemError({
    code: "column-not-found",
    message: `This table has no column ${JSON.stringify(column)}.`,
    hint: `It has ${info.columns.map(({ name }) => name).join(", ")}.`,
  });
}
