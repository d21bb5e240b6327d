import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFileLogWriter, type FileLogWriter } from "#promote/sync/embedded/file-log.ts";
import type { NewRecord } from "#promote/sync/embedded/frames.ts";
import { freshPlace, specOf, until } from "#promote/sync/fixture.ts";
import { openMetrics } from "#promote/sync/metrics/metrics.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { serveHealth, type HealthServer } from "#web/server/health-server.ts";
import { targetsFolder } from "../../deploy/stack/promtool.mjs";
import { dashboard, queriesOf } from "./dashboard.ts";
import { query, reload, rulesOf, whyNoPrometheus } from "./prometheus.ts";

const reason = await whyNoPrometheus();
const environment = `metrics-${Date.now().toString(36)}`;
const values = {
  datasource: "prometheus",
  environment,
  pipeline: ".*",
  __rate_interval: "10s",
  __range: "1m",
};

test("Grafana can lay the dashboard out: ids are of one panel each, no panel lies on another, variables are declared", () => {
  const { panels, templating } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const [i, { gridPos: a }] of panels.entries()) {
    expect(a.x + a.w).toBeLessThanOrEqual(24);
    const over = panels.slice(i + 1).find(({ gridPos: b }) => {
      const isBeside = a.x + a.w <= b.x || b.x + b.w <= a.x;
      return !isBeside && a.y < b.y + b.h && b.y < a.y + a.h;
    });
    expect(over?.title).toBeUndefined();
  }
  for (const { targets = [] } of panels)
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  const declared = templating.list.map(({ name }) => name);
  expect(Object.keys(values).filter((name) => !name.startsWith("__"))).toEqual(declared);
  expect(queriesOf(values).length).toBeGreaterThan(panels.length / 2);
});

test.runIf(reason !== undefined && process.env["CI"])("Prometheus is there to be asked", () => {
  expect(reason).toBeUndefined();
});

describe.skipIf(reason)(`with a real Prometheus${reason ? `: skipped, ${reason}` : ""}`, () => {
  const place = freshPlace();
  const metrics = openMetrics();
  const sync = openSync({
    ...place,
    tuning: { lingerMs: 20 },
    limits: { batchTimeoutMs: 2000, searchTimeoutMs: 500 },
    observe: (spec, event) => metrics.observe(spec, event),
  });
  metrics.watch(() => sync.reports());
  metrics.refused([{ environment, name: "refused", release: "release-3" }]);
  const targets = join(targetsFolder() ?? "", `${environment}.json`);
  let log: FileLogWriter;
  let served: HealthServer;
  let feeding: NodeJS.Timeout;
  let sent = 0;

  /** Each round has everything that can become of a record; a few hang the guest. */
  async function feed(): Promise<void> {
    const round = Array.from({ length: 50 }, (_, i) => flight(sent + i, i));
    const again = flight(sent, 1);
    const gone: NewRecord = { ...flight(sent + 1, 1), value: null };
    const hanging = sent % 5000 === 1000 ? [flight(sent + 2, 666)] : [];
    sent += 50;
    unwrap(await log.append([...round, again, gone, flight(sent, "N/A"), ...hanging]));
  }

  beforeAll(async () => {
    log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
    served = unwrap(await serveHealth(0, metrics));
    writeFileSync(targets, JSON.stringify([{ targets: [new URL(served.url).host], labels: {} }]));
    await reload();
    let busy: Promise<void> = Promise.resolve();
    feeding = setInterval(() => {
      busy = busy.then(feed);
    }, 100);

    const apply =
      "(f) => { if (f.delay === 666) for (;;); return f.delay < 5 ? null : { ...f, late: f.delay > 15 }; }";
    const range = { column: "delay", max: 40 };
    const flagged = { range, name: "short delays", severity: "flag" } as const;
    const halting = { ...flagged, severity: "halt" } as const;
    const flows = await specOf(place, { environment, apply });
    const stream = { ...flows.stream, expectations: [flagged] };
    unwrap(await sync.start({ ...flows, stream }));
    unwrap(
      await sync.start({
        ...flows,
        name: "halts",
        stream: { ...stream, expectations: [halting] },
      }),
    );
    const kafka = { brokers: ["127.0.0.1:1"], tls: false };
    const where = { kind: "servers", kafka } as const;
    const away = { ...flows, name: "waits", where, sinks: [{ topic: "away" }] };
    unwrap(await sync.start(away));
    await until("records flow", () => {
      const [first] = sync.reports();
      if (first?.problem !== undefined) throw new Error(first.problem.message);
      return (first?.partitions[0]?.offset ?? 0) > 0;
    });
    await until(
      "Prometheus has seen them for a while",
      async () => {
        const seen = await query(
          `sum(increase(penstock_records_read_total{environment="${environment}"}[10s])) > 0`,
        );
        return Array.isArray(seen) && seen.length > 0;
      },
      60_000,
    );
    unwrap(await sync.start({ ...flows, stream, release: "release-2" }));
  });

  afterAll(async () => {
    clearInterval(feeding);
    rmSync(targets, { force: true });
    await sync.close();
    await served.close();
    await log.close();
    place.remove();
  });

  test("every query of the dashboard is understood, and answered while pipelines flow, wait, halt and are swapped", async () => {
    let waiting = queriesOf(values);
    await until(
      "answers to all queries",
      async () => {
        const answers = await Promise.all(
          waiting.map(async (each) => ({ each, got: await query(each.query) })),
        );
        const wrong = answers.flatMap(({ each, got }) =>
          Array.isArray(got) ? [] : [`${each.place}: ${got.error}`],
        );
        expect(wrong).toEqual([]);
        waiting = answers.flatMap(({ each, got }) =>
          Array.isArray(got) && got.length === 0 ? [each] : [],
        );
        return waiting.length === 0;
      },
      60_000,
    ).catch(() => undefined);
    expect(waiting.map(({ place, query }) => `${place}: ${query}`)).toEqual([]);
  });

  test("what Prometheus holds adds up: read = written + filtered + stale + dead-lettered", async () => {
    const of = (name: string): string =>
      `sum(penstock_records_${name}_total{environment="${environment}"})`;
    const parts = ["written", "filtered", "stale", "dead_lettered"].map(of).join(" + ");
    expect(await query(`${of("read")} - (${parts})`)).toEqual([{ labels: {}, value: 0 }]);
  });

  test("every alert is loaded, understood, and true of a pipeline it is about", async () => {
    const text = readFileSync(
      new URL("../../deploy/prometheus/penstock.rules.yml", import.meta.url),
      "utf8",
    );
    const named = [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    await until("all rules were tried", async () =>
      (await rulesOf("penstock")).every(({ health }) => health !== "unknown"),
    );
    const loaded = await rulesOf("penstock");
    expect(loaded.map(({ name }) => name)).toEqual(named);
    expect(loaded.flatMap(({ lastError }) => lastError ?? [])).toEqual([]);

    const about = async (alert: string): Promise<(string | undefined)[]> => {
      const got = await query(loaded.find(({ name }) => name === alert)?.query ?? "");
      if (!Array.isArray(got)) throw new Error(got.error);
      return got
        .filter(({ labels }) => labels["environment"] === environment)
        .map(({ labels }) => labels["pipeline"]);
    };
    expect(await about("PenstockPipelineHalted")).toEqual(["halts"]);
    expect(new Set(await about("PenstockBackingOff"))).toEqual(new Set(["waits"]));
    expect(await about("PenstockDeadLetters")).toContain("delays");
    expect(await about("PenstockPipelineRefused")).toEqual(["refused"]);
    for (const alert of [
      "PenstockReadersBehind",
      "PenstockStuck",
      "PenstockLagHigh",
      "PenstockEndToEndSlow",
    ])
      expect(await about(alert)).toEqual([]);
  });
});

function flight(id: number, delay: unknown): NewRecord {
  const value = {
    id,
    date: "2001-04-01T00:05:00",
    delay,
    distance: 300,
    origin: "DEN",
    destination: "SFO",
  };
  const key = Buffer.from(String(id));
  return { key, value: Buffer.from(JSON.stringify(value)), timestampMs: Date.now() };
}
