import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freshPlace } from "#promote/sync/fixture.ts";
import { openSync, type PipelineSpec } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";

/** Runs the pipeline written in ROOT/spec.json until it has committed offset END; tells every commit on stdout. */
const [root = "", end = "0"] = process.argv.slice(2);
const place = freshPlace(root);
const spec = JSON.parse(readFileSync(join(root, "spec.json"), "utf8")) as PipelineSpec; // written by the test
const sync = openSync({ ...place, tuning: { maxRecords: 1500, lingerMs: 0 } });
let told = -1;
sync.subscribe(() => {
  const [status] = sync.status();
  if (status === undefined) return;
  if (status.problem !== undefined) process.stdout.write(`problem ${status.problem.message}\n`);
  if (status.offset === told) return;
  told = status.offset;
  process.stdout.write(`offset ${told}\n`);
  if (told === Number(end)) void sync.close();
});
unwrap(await sync.start(spec));
