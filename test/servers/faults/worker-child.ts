import { freshPlace } from "#promote/sync/fixture.ts";
import { openSync } from "#promote/sync/sync.ts";
import type { Asked, Told, WorkerOptions } from "./worker.ts";

/** A worker of a pipeline in a process of its own, to be killed. Does what it is asked, and tells each change of its state. */
const options = JSON.parse(process.argv[2] ?? "") as WorkerOptions; // worker.ts made it
const sync = openSync({ ...freshPlace(options.root), ...options });
let last = "";

function tell(told: Told): void {
  process.send?.(told);
}

function look(): void {
  const [report] = sync.reports();
  if (report === undefined) return;
  const { state, problem, backoffs, partitions } = report;
  const held = partitions.map(({ partition }) => partition);
  const told: Told = { kind: "state", state, problem, backoffs, held };
  const text = JSON.stringify(told);
  if (text === last) return;
  last = text;
  tell(told);
}

async function act(asked: Asked): Promise<string | undefined> {
  switch (asked.act) {
    case "start": {
      const started = await sync.start(asked.spec);
      return started.ok ? undefined : started.problem.message;
    }
    case "pause":
    case "resume": {
      const { environment, name } = asked.spec;
      const done = await sync[asked.act](environment, name);
      return done.ok ? undefined : done.problem.message;
    }
    case "close":
      await sync.close();
      return undefined;
  }
}

sync.subscribe(look);
process.on("message", (message) => {
  const asked = message as Asked; // worker.ts sent it
  void act(asked).then((problem) => {
    tell({ kind: "done", id: asked.id, problem });
    if (asked.act === "close") process.disconnect();
  });
});
process.on("disconnect", () => process.exit());
