import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Pages } from "./http.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The built pages. They are read when the server starts, so that a build never needs the server's code. */
export async function loadPages(): Promise<Result<Pages>> {
  const file = join(root, "build/handler.js");
  if (!existsSync(file)) {
    return fail({
      code: "pages-missing",
      message: "The pages are not built yet.",
      hint: "Run `npm start` once; it builds them.",
    });
  }
  // Read by adapter-node as it is imported.
  process.env["PROTOCOL_HEADER"] = "x-penstock-protocol";
  // The API sets its own limit (app.ts), and answers what is beyond it with a problem.
  process.env["BODY_SIZE_LIMIT"] = "Infinity";
  const built = (await import(pathToFileURL(file).href)) as { handler: Pages };
  return ok(built.handler);
}
