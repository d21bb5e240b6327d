/** Entry of a slice guest: one bundle, batches of rows, nothing else. Trusted; user code comes in as data. */
import { isTable, type TransformSpec } from "./descriptors.ts";
import { describe, type SliceExport } from "./describe.ts";
import { takeDeno, type TakenDeno } from "./deno.ts";
import { installStacks, messageOf, placeOf } from "./errors.ts";
import { encodeFrame, frameAssembler, type Frame } from "./frames.ts";
import { lockDown } from "./lockdown.ts";
import { buildLookup, type LookupSpec } from "./lookup.ts";
import { isMetric, type Metric } from "./metric-descriptors.ts";
import { metricsRunner, type Resampling } from "./metric-runner.ts";
import { transformRunner, type ColumnSpec } from "./transform-runner.ts";

type Open = {
  type: "open";
  token: string;
  bundleBytes: number;
  entry:
    | { kind: "transform"; name: string }
    | { kind: "metrics"; indexes: number[]; withParts: boolean }
    | { kind: "describe" };
  input: ColumnSpec[];
  output: ColumnSpec[];
  lookups: Record<string, LookupSpec & { batchBytes: number[] }>;
};
type Request =
  | Open
  | { type: "run" }
  | { type: "finish" }
  | ({ type: "resample"; metric: number } & Resampling);

const deno: TakenDeno = takeDeno();
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const parse = JSON.parse;
const stringify = JSON.stringify;
const now = performance.now.bind(performance);
const assembler = frameAssembler({ headerBytes: 2 ** 31, payloadBytes: 2 ** 32 });
let token = "";
let droppedLines = 0;

const noClock = (what: string) => (): never => {
  throw new TypeError(
    `Transforms have no ${what}: the same record must always give the same result. Take it from a column.`,
  );
};
const drop = (): void => {
  droppedLines += 1;
};
const quiet = Object.fromEntries(
  [
    "log",
    "info",
    "debug",
    "warn",
    "error",
    "trace",
    "table",
    "dir",
    "assert",
    "group",
    "groupEnd",
    "count",
    "time",
    "timeEnd",
  ].map((name) => [name, drop]),
);

globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  const { reason } = event;
  send({ type: "failed", message: messageOf(reason), ...placeOf(reason) });
  deno.exit(0);
});
installStacks();
lockDown({
  keep: [],
  add: { console: Object.freeze(quiet) },
  clock: { now: noClock("clock"), random: noClock("randomness") },
});

function receive(): Frame | undefined {
  for (;;) {
    const bytes = deno.read(assembler.want());
    if (bytes === null) return undefined;
    const frame = assembler.filled(bytes);
    if (frame) return frame;
  }
}

function send(header: object, payloads: Uint8Array[] = []): void {
  const text = encoder.encode(stringify({ ...header, token }));
  for (const bytes of encodeFrame(text, payloads)) deno.write(bytes);
}

function requestOf(frame: Frame): Request {
  return parse(decoder.decode(frame.header)) as Request;
}

async function open(
  request: Open,
  payload: Uint8Array,
): Promise<(request: Request, payload: Uint8Array) => void> {
  const bundle = decoder.decode(payload.subarray(0, request.bundleBytes));
  const address = `data:text/javascript,${encodeURIComponent(`${bundle}\n//# sourceURL=user:bundle`)}`;
  const module = (await import(address)) as { slice?: SliceExport };
  const { slice } = module;
  if (!slice) throw new TypeError("The bundle exports no slice.");
  if (request.entry.kind === "describe") {
    const description = describe(slice);
    send({ type: "opened", description });
    return () => undefined;
  }
  const { entry } = request;
  if (entry.kind === "metrics") {
    const metrics = entry.indexes.map((index) => {
      const metric: unknown = slice.metrics?.[index];
      if (!isMetric(metric)) throw new TypeError(`The bundle has no metric ${index}.`);
      return metric;
    });
    return metricRequests(request, metrics, entry.withParts);
  }
  const table: unknown = slice.transforms?.[entry.name];
  if (!isTable(table) || table.source.kind !== "transform") {
    throw new TypeError(`The bundle has no transform \`${entry.name}\`.`);
  }
  const answer = transformRequests(request, table.source.transform, payload);
  send({ type: "opened" });
  return answer;
}

function metricRequests(
  { input }: Open,
  metrics: readonly Metric[],
  withParts: boolean,
): (request: Request, payload: Uint8Array) => void {
  const runner = metricsRunner({ input, metrics, withParts, now });
  send({ type: "opened", columns: runner.columns });
  return (request, payload) => {
    if (request.type === "finish") {
      send({ type: "finished", values: runner.finish(), droppedLines });
      return;
    }
    if (request.type === "resample") {
      const units = new Int32Array(payload.slice().buffer);
      const values = runner.resample(request.metric, request, units);
      send({ type: "resampled", values, droppedLines });
      return;
    }
    const started = now();
    const { read, parts } = runner.run(payload);
    const elapsedMs = now() - started;
    const counts = { read, filtered: 0, errors: [], elapsedMs, written: 0, droppedLines };
    send({ type: "batch", ...counts }, parts);
  };
}

function transformRequests(
  request: Open,
  spec: TransformSpec,
  payload: Uint8Array,
): (request: Request, payload: Uint8Array) => void {
  let at = request.bundleBytes;
  const lookups: Record<string, unknown> = {};
  for (const name of Object.keys(spec.lookup)) {
    if (!Object.hasOwn(request.lookups, name))
      throw new TypeError(`The transform's lookup \`${name}\` was not given.`);
  }
  for (const [name, lookup] of Object.entries(request.lookups)) {
    const batches = lookup.batchBytes.map((bytes) => {
      const batch = payload.slice(at, at + bytes);
      at += bytes;
      return batch;
    });
    lookups[name] = buildLookup(name, lookup, batches);
  }
  const run = transformRunner({
    input: request.input,
    output: request.output,
    apply: spec.apply,
    lookups: Object.freeze(lookups),
    maxParts: spec.maxParts,
  });
  return (_, batch) => {
    const started = now();
    const { rows, inputs, parts, ...counts } = run(batch);
    const elapsedMs = now() - started;
    const lineage = [inputs, parts].map(
      (ints) => new Uint8Array(ints.buffer, ints.byteOffset, ints.byteLength),
    );
    send({ type: "batch", ...counts, elapsedMs, written: inputs.length, droppedLines }, [
      ...lineage,
      rows,
    ]);
  };
}

async function main(): Promise<void> {
  const first = receive();
  if (!first) return;
  const request = requestOf(first);
  if (request.type !== "open") return;
  token = request.token;
  try {
    const answer = await open(request, first.payload);
    for (let frame = receive(); frame; frame = receive()) answer(requestOf(frame), frame.payload);
  } catch (error) {
    send({ type: "failed", message: messageOf(error), ...placeOf(error) });
  }
}

// Not awaited: an import of this file by user code would wait for it for ever.
void main().then(() => deno.exit(0));
