import { createReadStream, readFileSync, rmSync, statSync } from "node:fs";
import { Readable } from "node:stream";
import { compareExport, type Asked } from "#promote/compare-details.ts";
import { comparisonReport } from "#promote/report/comparison.ts";
import { htmlReport } from "#promote/report/html.ts";
import { markdownReport } from "#promote/report/markdown.ts";
import { unwrap } from "#snapshots/problem.ts";

const tokensFile = new URL("../lib/tokens.css", import.meta.url);

export const reportFormats = ["html", "markdown", "json"] as const;
export const rowFormats = ["parquet", "csv"] as const;

const kinds = {
  html: ["text/html; charset=utf-8", "html"],
  markdown: ["text/markdown; charset=utf-8", "md"],
  json: ["application/json; charset=utf-8", "json"],
  parquet: ["application/vnd.apache.parquet", "parquet"],
  csv: ["text/csv; charset=utf-8", "csv"],
} as const;

/** A comparison as a file of its own, to be saved: nothing in it needs this server. */
export async function reportFile(
  request: Asked & { format: (typeof reportFormats)[number] },
): Promise<Response> {
  const { format } = request;
  const report = unwrap(await comparisonReport(request));
  const text =
    format === "html"
      ? htmlReport(report, readFileSync(tokensFile, "utf8"))
      : format === "markdown"
        ? markdownReport(report)
        : `${JSON.stringify(report.summary, null, 2)}\n`;
  return new Response(text, { headers: headers(request, format) });
}

/** Every row that differs, as the terminal's `--rows-out` writes them. The file is gone when it was sent, or is no longer wanted. */
export async function rowsFile(
  request: Asked & { format: (typeof rowFormats)[number]; isHead: boolean },
): Promise<Response> {
  const { workbench, format } = request;
  // Nobody would read the file to its end.
  if (request.isHead) return new Response(null, { headers: headers(request, format) });
  const out = workbench.store.tempPath(format);
  try {
    const { rows } = unwrap(await compareExport({ ...request, out }));
    const { size } = statSync(out);
    const file = createReadStream(out).on("close", () => rmSync(out, { force: true }));
    // Node's stream of bytes is the web's; the types of the two do not know each other.
    return new Response(Readable.toWeb(file) as ReadableStream<Uint8Array>, {
      headers: {
        ...headers(request, format),
        "content-length": String(size),
        "x-rows": String(rows),
      },
    });
  } catch (error) {
    rmSync(out, { force: true });
    throw error;
  }
}

function headers({ comparison }: Asked, format: keyof typeof kinds): Record<string, string> {
  const { id, transform } = comparison;
  const [type, ending] = kinds[format];
  const name = encodeURIComponent(`${transform}-${id.slice(0, 8)}.${ending}`);
  return {
    "content-type": type,
    "content-disposition": `attachment; filename*=UTF-8''${name}`,
    "cache-control": "no-store",
  };
}
