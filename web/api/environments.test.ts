import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkbench, type Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { createApi } from "./app.ts";
import { tinyWorkspace } from "./tiny-workspace.ts";

let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;
let workbench: Workbench;

beforeAll(async () => {
  tiny = await tinyWorkspace();
  workbench = unwrap(await openWorkbench(tiny.dir, { withSync: false, holdLock: true }));
});

afterAll(async () => {
  await workbench.close();
  tiny.remove();
});

test("moving environments says what becomes of counts and rows, where something moves", async () => {
  const app = createApi(workbench);
  const use = async (to: unknown): Promise<unknown> => {
    const response = await app.request("/api/environments/use", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ to, environments: ["staging"] }),
    });
    return response.json();
  };
  const servers = { kafka: "127.0.0.1:9092" };
  expect(await use(servers)).toMatchObject({
    commit: expect.any(String),
    summary:
      "staging now run on servers (Kafka at 127.0.0.1:9092). What pipelines read there adds to their counts; what their sinks held stays where it was.",
  });
  expect(await use(servers)).toMatchObject({
    commit: null,
    summary: "staging already run on servers (Kafka at 127.0.0.1:9092).",
  });
});
