import { expect, test, vi } from "vitest";
import { fail, ok } from "#snapshots/problem.ts";
import { jsonSafe, streamWork } from "./long-work.ts";

const request = () => new Request("http://localhost/api/x");

async function events(response: Response): Promise<unknown[]> {
  const text = await response.text();
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

test("progress comes a line each, then the value", async () => {
  const response = streamWork(
    request(),
    async (_signal, onProgress: (p: { step: number }) => void) => {
      onProgress({ step: 1 });
      onProgress({ step: 2 });
      return ok({ rows: 3n });
    },
  );
  expect(response.headers.get("content-type")).toContain("application/x-ndjson");
  expect(await events(response)).toEqual([
    { type: "progress", step: 1 },
    { type: "progress", step: 2 },
    { type: "done", value: { rows: 3 } },
  ]);
});

test("what fails or throws ends the stream with its problem", async () => {
  const problem = { code: "no-such-source", message: "There is no source x." };
  expect(await events(streamWork(request(), async () => fail(problem)))).toEqual([
    { type: "failed", problem },
  ]);
  const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
  const bug = streamWork(request(), () => Promise.reject(new Error("bug")));
  expect(await events(bug)).toMatchObject([{ type: "failed", problem: { code: "internal" } }]);
  quiet.mockRestore();
});

test("closing the response cancels the work", async () => {
  const cancelled = Promise.withResolvers<void>();
  const response = streamWork(request(), async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    cancelled.resolve();
    return ok(1);
  });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  await expect(cancelled.promise).resolves.toBeUndefined();
});

test("aborting the request cancels the work", async () => {
  const abort = new AbortController();
  const cancelled = Promise.withResolvers<void>();
  const request = new Request("http://localhost/", { signal: abort.signal });
  const response = streamWork(request, async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    cancelled.resolve();
    return ok(1);
  });
  abort.abort();
  await cancelled.promise;
  await expect(response.text()).rejects.toThrow("aborted");
});

test("a reader that does not keep up loses progress, never the end", async () => {
  const response = streamWork(
    request(),
    async (_signal, onProgress: (p: { step: number }) => void) => {
      for (let step = 0; step < 100_000; step += 1) onProgress({ step });
      return ok("end");
    },
  );
  const all = await events(response);
  expect(all.length).toBeLessThan(1_000);
  expect(all.at(-1)).toEqual({ type: "done", value: "end" });
});

test("integers beyond 2^53 and bytes become text", () => {
  const value = { small: 5n, big: 2n ** 60n, bytes: new Uint8Array([1, 2]) };
  expect(JSON.parse(JSON.stringify(value, jsonSafe))).toEqual({
    small: 5,
    big: "1152921504606846976",
    bytes: "AQI=",
  });
});
