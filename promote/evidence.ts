import { withoutDisabled, type Bundle } from "#kernel/bundle.ts";
import { sharedLanguage } from "#kernel/language.ts";
import { readLookups } from "#kernel/run-transform.ts";
import { generateTypes } from "#kernel/types.ts";
import { arrowToRows } from "#snapshots/arrow.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import { join } from "node:path";
import {
  compareSides,
  runSide,
  type CompareProgress,
  type Comparison,
  type MetricPair,
} from "./compare.ts";
import { sideOfRelease, type Side } from "./compare-side.ts";
import { contractChanges } from "./compatibility.ts";
import { listEnvironments } from "./environments.ts";
import { expectationText, judgeExpectation } from "./expect-diff.ts";
import { buildFresh } from "./notebook-bundle.ts";
import { notebookPath } from "./notebook-name.ts";
import { checkOrder, type OrderSubject } from "./order-independence.ts";
import { measureThroughput } from "./throughput.ts";
import { count } from "./permission.ts";
import { readRelease, type Release } from "./release-files.ts";
import type { Fact, ReleaseManifest } from "./release-format.ts";
import type { Workbench } from "./workbench.ts";

export type EvidenceRequest = {
  workbench: Workbench;
  notebook: string;
  text: string;
  bundle: Bundle;
  /** The candidate, ready to run. */
  side: Side;
  input: ReleaseManifest["input"];
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: CompareProgress) => void) | undefined;
};

export type Gathered = { facts: Fact[]; observations: Record<string, unknown> };

/** What runs now in one or more environments: the release a candidate is held against. */
export type Baseline = { environments: string[]; release: Release };

/** Checks a candidate and says, fact by fact, what was found. Nothing in a fact depends on the machine or the clock. */
export async function gatherEvidence(request: EvidenceRequest): Promise<Result<Gathered>> {
  const { workbench, bundle, side, input, onProgress } = request;
  onProgress?.({ step: "Checking types" });
  const types = await typeFact(request);
  onProgress?.({ step: "Building a second time" });
  const bytes = await sameBytesFact(request);
  if (!bytes.ok) return bytes;

  const ran = await runSide(workbench, side, bundle.transform, input.hash, request);
  if (!ran.ok) return ran;

  onProgress?.({ step: "Replaying in other orders" });
  const { store, queries } = workbench;
  const subject = {
    bundle: bundle.code,
    transform: bundle.transform,
    input: input.columns,
    output: bundle.output,
    lookups: await readLookups(store, queries, side.lookups, request.signal),
  };
  const order = await orderFact(request, subject);
  if (!order.ok) return order;
  const throughput = await measureThroughput(
    queries,
    input.hash,
    { ...subject, entry: { kind: "transform", name: subject.transform } },
    request.signal,
  );
  if (!throughput.ok) return throughput;

  const facts = [types, inputFact(input), recordsFact(ran.value), order.value, bytes.value];
  const { environments } = await listEnvironments(workbench.git);
  const baselines = baselinesOf(workbench, environments, bundle.transform);
  for (const baseline of baselines) {
    const compared = await againstFacts(request, baseline);
    if (!compared.ok) return compared;
    facts.push(...compared.value);
  }
  const expected = await expectedFacts(request);
  if (!expected.ok) return expected;
  facts.push(...expected.value);
  const covered = new Set(baselines.flatMap((baseline) => baseline.environments));
  const empty = environments.map(({ name }) => name).filter((name) => !covered.has(name));
  if (empty.length > 0) facts.push(nothingRunsFact(empty, ran.value.table.rows));
  return ok({ facts, observations: { throughput: throughput.value } });
}

/** The distinct releases of a transform that environments ask for, each with its environments. */
export function baselinesOf(
  workbench: Pick<Workbench, "workspace">,
  environments: { name: string; pipelines: Record<string, { release: string }> }[],
  transform: string,
): Baseline[] {
  const names = new Map<string, string[]>();
  for (const { name, pipelines } of environments) {
    const hash = pipelines[transform]?.release;
    if (hash !== undefined) names.set(hash, [...(names.get(hash) ?? []), name]);
  }
  return [...names].flatMap(([hash, environmentNames]) => {
    const release = readRelease(workbench, transform, hash);
    return release.ok ? [{ environments: environmentNames, release: release.value }] : [];
  });
}

async function typeFact({ workbench, notebook, text }: EvidenceRequest): Promise<Fact> {
  const { workspace } = workbench;
  const found = await sharedLanguage().diagnostics({
    fileName: join(workspace.root, notebookPath(notebook)),
    text: withoutDisabled(text),
    types: generateTypes(workspace),
    tables: {},
  });
  const errors = found.filter(({ severity }) => severity === "error");
  const lineOf = (offset: number) => text.slice(0, offset).split("\n").length;
  const details = errors
    .slice(0, 20)
    .map(({ start, message }) => ({ line: lineOf(start), message }));
  const [first] = details;
  return {
    id: "types",
    title: "Type check",
    status: first ? "finding" : "pass",
    summary: first
      ? `${count(errors.length, "type error")}; the first is at line ${first.line}: ${first.message}`
      : "0 errors in the notebook.",
    details,
  };
}

async function sameBytesFact({
  workbench,
  notebook,
  text,
  bundle,
}: EvidenceRequest): Promise<Result<Fact>> {
  const again = await buildFresh(workbench, { notebook, text, transform: bundle.transform });
  if (!again.ok) return again;
  const isSame =
    again.value.sha256 === bundle.sha256 &&
    again.value.metricsBundle?.sha256 === bundle.metricsBundle?.sha256;
  const [first, second] = [bundle.sha256.slice(0, 6), again.value.sha256.slice(0, 6)];
  return ok({
    id: "same-bytes",
    title: "Same bytes",
    status: isSame ? "pass" : "fail",
    summary: isSame
      ? `Built twice, the bundle is ${first} both times.`
      : `Built twice, the bundle is ${first} once and ${second} once.`,
    details: { bundle: bundle.sha256 },
  });
}

function inputFact({ columns, snapshot, hash }: ReleaseManifest["input"]): Fact {
  return {
    id: "input-contract",
    title: "Input contract",
    status: "pass",
    summary: `${columns.length} of ${columns.length} columns are those of ${snapshot} (${hash.slice(0, 6)}).`,
    details: { columns },
  };
}

function recordsFact(ran: Comparison["after"]): Fact {
  const sum = `${number(ran.read)} read = ${number(ran.written)} written + ${number(ran.filtered)} filtered + ${number(ran.failed)} failed`;
  const [first] = ran.errors;
  return {
    id: "records",
    title: "Every record accounted for",
    status: ran.failed > 0 ? "finding" : "pass",
    summary: first
      ? `${sum}. On the stream the failed ones become dead letters; the first: ${first.message}`
      : `${sum}.`,
    details: {
      read: ran.read,
      written: ran.written,
      filtered: ran.filtered,
      failed: ran.failed,
      rows: ran.table.rows,
      table: ran.table.hash,
      errors: ran.errors.slice(0, 20),
    },
  };
}

const sampleWindows = 4;
const sampleRows = 256;

async function orderFact(
  { workbench, input, signal }: EvidenceRequest,
  subject: OrderSubject,
): Promise<Result<Fact>> {
  const { store, queries } = workbench;
  const total = store.tableInfo(input.hash)?.rows ?? 0;
  const sample: Record<string, unknown>[] = [];
  const windows = total <= sampleWindows * sampleRows ? 1 : sampleWindows;
  const limit = windows === 1 ? total : sampleRows;
  for (let index = 0; index < windows; index += 1) {
    const offset = Math.floor((index * (total - limit)) / Math.max(windows - 1, 1));
    const window = await queries.window({ table: input.hash, offset, limit });
    if (!window.ok) return window;
    sample.push(...arrowToRows(window.value.ipc));
  }
  const checked = await checkOrder(subject, sample, signal);
  if (!checked.ok) return checked;
  const { rows, replays, difference } = checked.value;
  return ok({
    id: "order",
    title: "Order and batches",
    status: difference ? "fail" : "pass",
    summary: difference
      ? `A record becomes something else when it comes in another order or portion (${difference.replay}): the transform keeps state between records.`
      : `${count(rows, "record")} in ${replays} orders and batch sizes, some twice, end in one state.`,
    details: difference ?? { rows, replays },
  });
}

async function againstFacts(
  request: EvidenceRequest,
  { environments, release }: Baseline,
): Promise<Result<Fact[]>> {
  const { side, bundle } = request;
  const where = environments.join(" and ");
  const suffix = environments.join(",");
  const short = release.hash.slice(0, 6);
  const before = sideOfRelease(
    { kind: "release", hash: release.hash },
    `release ${short}`,
    release,
  );
  const compared = await compareSides({ ...request, transform: bundle.transform }, before, {
    ...side,
    label: "this candidate",
  });
  if (!compared.ok) return compared;
  const { metrics } = compared.value;
  const changes = contractChanges(release.manifest.output, side.output);
  const breaks = changes.filter((change) => change.breaks);
  const facts: Fact[] = [
    {
      id: `contract@${suffix}`,
      title: `Output contract against ${where}`,
      status: breaks.length > 0 ? "finding" : "pass",
      summary:
        breaks.length > 0
          ? `${count(breaks.length, "change")} may break readers of ${short}: ${breaks.map(({ message }) => message).join(" ")}`
          : `Compatible with ${short}: ${count(side.output.columns.length, "column")}, none removed, no type changed.`,
      details: { release: release.hash, changes },
    },
    differenceFact(`difference@${suffix}`, where, release.hash, compared.value),
  ];
  if (metrics.length > 0)
    facts.push(outcomesFact(`metrics@${suffix}`, where, release.hash, metrics));
  return ok(facts);
}

/** The notebook's test cells about this transform. One that does not hold keeps the release out of every environment. */
async function expectedFacts(request: EvidenceRequest): Promise<Result<Fact[]>> {
  const { workbench, notebook, bundle, side, signal, onProgress } = request;
  const expectations = (bundle.metricsBundle?.expectations ?? []).filter(
    ({ transform }) => transform === bundle.transform,
  );
  const facts: Fact[] = [];
  for (const [index, expectation] of expectations.entries()) {
    onProgress?.({ step: `Checking ${expectationText(expectation)}` });
    const after = { ...side, label: "this candidate" };
    const judged = await judgeExpectation({ workbench, notebook, expectation, after, signal });
    if (!judged.ok) return judged;
    const { summary, unexpected, comparison } = judged.value;
    const { cell, line, ...said } = expectation;
    facts.push({
      id: `expect-diff-${index + 1}`,
      title: "Expected difference",
      status: unexpected.length > 0 ? "fail" : "pass",
      summary:
        unexpected.length > 0
          ? `${cell}, line ${line}: ${expectationText(expectation)} does not hold. ${unexpected.join(" ")} Found: ${summary}`
          : `${expectationText(expectation)}: ${summary}`,
      // A revision such as HEAD~1 is another commit tomorrow: the label holds the one it was.
      details: { expected: said, unexpected, against: comparison?.before.label ?? null },
    });
  }
  return ok(facts);
}

function differenceFact(id: string, where: string, release: string, compared: Comparison): Fact {
  const { elapsedMs: _, ...summary } = compared.summary;
  const { equal, changed, added, removed, ambiguous } = summary.rows;
  const moved = [
    changed > 0 && `${number(changed)} changed`,
    added > 0 && `${number(added)} added`,
    removed > 0 && `${number(removed)} removed`,
    ambiguous.keys > 0 && `${number(ambiguous.keys)} ambiguous keys`,
  ].filter((part) => part !== false);
  const { snapshot, before, after } = compared;
  return {
    id,
    title: `Rows against ${where}`,
    status: moved.length > 0 ? "finding" : "pass",
    summary:
      moved.length > 0
        ? `On ${snapshot.name}: ${moved.join(", ")}; ${number(equal)} equal.`
        : `On ${snapshot.name} all ${number(equal)} rows are equal.`,
    details: {
      release,
      snapshot,
      summary,
      before: before.table.hash,
      after: after.table.hash,
    },
  };
}

function nothingRunsFact(environments: string[], rows: number): Fact {
  const names = environments.join(" and ");
  return {
    id: `first@${environments.join(",")}`,
    title: `First in ${names}`,
    status: "pass",
    summary: `Nothing of this name runs in ${names} yet, so there is nothing to compare with; it makes ${count(rows, "row")} of the snapshot.`,
    details: { environments },
  };
}

/** What the metrics say. A free metric's interval depends on how fast the machine is, so only its values are evidence. */
function outcomesFact(id: string, where: string, release: string, found: MetricPair[]): Fact {
  const metrics = found.map((metric) =>
    metric.resampled?.budgetMs === undefined
      ? metric
      : { ...metric, interval: null, noInterval: null, verdict: null, resampled: null },
  );
  const worse = metrics.filter(isWorse);
  return {
    id,
    title: `Outcomes against ${where}`,
    status: worse.length > 0 ? "finding" : "pass",
    summary: metrics
      .map(outcomeText)
      .join("; ")
      .concat(worse.length > 0 ? `. Worse: ${worse.map(({ name }) => name).join(", ")}.` : "."),
    details: { release, metrics },
  };
}

function outcomeText({ name, before, after, interval, verdict }: MetricPair): string {
  const range =
    interval && verdict !== "unchanged"
      ? ` (by ${shown(interval.low)} to ${shown(interval.high)}, 95 %)`
      : "";
  const said = verdict === "cannot tell" || verdict === "unchanged" ? `, ${verdict}` : "";
  return `${name} ${shown(before)} → ${shown(after)}${range}${said}`;
}

/** Where no interval says whether it is more than noise, the values alone decide: a person looks. */
function isWorse({ better, before, after, interval, verdict }: MetricPair): boolean {
  if (interval !== null) return verdict === "worse";
  if (better === null || before === null || after === null) return false;
  return better === "higher" ? after < before : after > before;
}

function shown(value: number | null): string {
  return value === null ? "none" : value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
