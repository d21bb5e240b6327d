/** Entry of an interactive guest: a notebook's cells, one after another. Trusted; cells come in as text. */
import type { DisplayItem, ValueSummary } from "../interactive-protocol.ts";
import { cellApi, chartItem, isShownAlready, type Shown } from "./cell-api.ts";
import { cellClock } from "./cell-clock.ts";
import { cellConsole } from "./cell-console.ts";
import { cellTimers } from "./cell-timers.ts";
import { cellValues } from "./cell-values.ts";
import { decodeStream } from "./decode.ts";
import { takeDeno, type TakenDeno } from "./deno.ts";
import type { Table } from "./descriptors.ts";
import { installStacks, messageOf, placesOf } from "./errors.ts";
import { encodeFrame, frameAssembler, type Frame } from "./frames.ts";
import { lockDown } from "./lockdown.ts";
import { rowMaker } from "./row-maker.ts";
import { parseColumns, type ColumnSpec } from "./transform-runner.ts";

type Run = {
  type: "run";
  id: string;
  code: string;
  sourceUrl: string;
  uses: string[];
  defines: string[];
};
type Request = { token?: string } & (
  | { type: "hello" }
  | Run
  | { type: "restore"; values: Record<string, unknown> }
  | { type: "rows"; request: number; columns: ColumnSpec[] }
  | { type: "rowsFailed"; request: number; message: string }
);

/** Lines that the AsyncFunction constructor and "use strict" put before the cell's own. */
const headerLines = 3;
const mostDisplays = 200;
const mostLate = 50;
/** Tables asked for at once: each is a query. */
const mostWaitingRows = 256;

const deno: TakenDeno = takeDeno();
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const parse = JSON.parse;
const stringify = JSON.stringify;
const AsyncFunction = (async () => undefined).constructor as new (
  ...text: string[]
) => (...args: unknown[]) => Promise<unknown>;
const values = cellValues();
const clock = cellClock();
const timers = cellTimers();
const cellOfSource = new Map<string, string>();
const waitingRows = new Map<
  number,
  { resolve(rows: unknown[]): void; reject(message: string): void }
>();
let nextRows = 1;
let late = 0;
let token = "";
let current = "";
let shown: Shown[] = [];

const cellOutput = cellConsole((line) => send({ type: "line", cell: current, ...line }));
const api = cellApi({ show, rows: askRows });
const apiNames = Object.keys(api);

globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  reportLate(event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  reportLate(event.error);
});
installStacks(headerLines);
lockDown({
  // Deno's own timers look Atomics up; without SharedArrayBuffer there is nothing to share or wait on.
  keep: ["Atomics", "queueMicrotask"],
  add: {
    ...timers.add,
    console: cellOutput.console,
    performance: Object.freeze({ now: () => clock.now() }),
  },
  clock,
});

function send(header: object): void {
  for (const bytes of encodeFrame(encoder.encode(stringify({ ...header, token })), []))
    deno.write(bytes);
}

function show(item: Shown): void {
  if (shown.length < mostDisplays) shown.push(item);
  else if (shown.length === mostDisplays)
    shown.push({
      kind: "text",
      text: `… more than ${mostDisplays} displays; the rest are left out.`,
    });
}

function reportLate(error: unknown): void {
  late += 1;
  if (late > mostLate) return;
  send({ type: "late", cell: current, message: messageOf(error), places: places(error) });
}

function askRows(table: Table, offset: number, limit: number): Promise<unknown[]> {
  if (waitingRows.size >= mostWaitingRows) {
    throw new TypeError(
      `More than ${mostWaitingRows} tables are being read at once. Await some before asking for more.`,
    );
  }
  const request = nextRows;
  nextRows += 1;
  send({
    type: "wantRows",
    cell: current,
    request,
    expression: values.expression(table),
    handle: values.handle(table),
    offset,
    limit,
  });
  // Made here, so that a failure is placed where the cell asked.
  const failure = new TypeError("rows");
  return new Promise((resolve, reject) => {
    waitingRows.set(request, {
      resolve,
      reject(message) {
        failure.message = message;
        reject(failure);
      },
    });
  });
}

function takeRows(
  { request, columns }: { request: number; columns: ColumnSpec[] },
  payload: Uint8Array,
): void {
  const waiting = waitingRows.get(request);
  waitingRows.delete(request);
  try {
    const parsed = parseColumns(columns);
    const make = rowMaker(parsed.map((column) => column.name));
    const decoded = decodeStream(payload, parsed);
    const [refusal] = decoded.refusals.values();
    if (refusal !== undefined) throw new TypeError(refusal);
    waiting?.resolve(
      Array.from({ length: decoded.length }, (_, row) => make(decoded.columns, row)),
    );
  } catch (error) {
    waiting?.reject(messageOf(error));
  }
}

/** Places of user code in an error's stack, in the cells' own lines. */
function places(error: unknown): { cell: string; line: number; column: number }[] {
  return placesOf(error).flatMap(({ source, line, column }) => {
    const cell = cellOfSource.get(source);
    return cell === undefined ? [] : [{ cell, line, column }];
  });
}

async function run({ id, code, sourceUrl, uses, defines }: Run): Promise<void> {
  // What an earlier cell left running has no cell to speak for any more.
  timers.clear();
  waitingRows.clear();
  late = 0;
  current = id;
  shown = [];
  cellOutput.reset();
  clock.begin(code);
  const source = sourceUrl.replace(/[^\w.:/@#-]/g, "_");
  cellOfSource.set(source, id);
  values.forget(defines);
  try {
    const own = new Set(defines);
    const names = [...new Set([...apiNames, ...uses.filter((name) => values.has(name))])].filter(
      (name) => !own.has(name),
    );
    const body = `"use strict";\n${code}\n//# sourceURL=user:${source}`;
    const cell = new AsyncFunction(...names, body);
    const returned = await cell(
      ...names.map((name) => (values.has(name) ? values.get(name) : api[name])),
    );
    const { __last: last, ...defined } = { ...(returned as Record<string, unknown>) };
    const summaries = values.define(defined);
    const hasLast = last !== undefined && !isShownAlready(last);
    const lastSummary: ValueSummary | undefined = hasLast ? values.summary(last) : undefined;
    send({
      type: "result",
      cell: id,
      defined: summaries,
      ...(lastSummary ? { last: lastSummary } : {}),
      displays: shown.map(displayItem),
      ...clock.used(),
    });
  } catch (error) {
    send({
      type: "failed",
      cell: id,
      message: messageOf(error),
      places: places(error),
      displays: safeDisplays(),
    });
  }
}

function displayItem(item: Shown): DisplayItem {
  if (item.kind === "table") {
    return {
      kind: "table",
      expression: values.expression(item.table),
      handle: values.handle(item.table),
    };
  }
  return item.kind === "chart" ? chartItem(item, values.expression) : item;
}

function safeDisplays(): DisplayItem[] {
  return shown.flatMap((item) => {
    try {
      return [displayItem(item)];
    } catch {
      return [];
    }
  });
}

async function handle(frame: Frame): Promise<void> {
  const request = parse(decoder.decode(frame.header)) as Request;
  if (request.token !== undefined) token = request.token;
  switch (request.type) {
    case "hello":
      return;
    case "run":
      await run(request);
      return;
    case "restore":
      values.restore(request.values);
      send({ type: "restored" });
      return;
    case "rows":
      takeRows(request, frame.payload);
      return;
    case "rowsFailed":
      waitingRows.get(request.request)?.reject(request.message);
      waitingRows.delete(request.request);
  }
}

async function main(): Promise<never> {
  const assembler = frameAssembler({ headerBytes: 2 ** 31, payloadBytes: 2 ** 32 });
  for (;;) {
    const bytes = await deno.readLater(assembler.want());
    if (bytes === null) deno.exit(0);
    const frame = assembler.filled(bytes);
    // Not awaited: a cell that waits for rows needs the next frame.
    if (frame) void handle(frame);
  }
}

// Not awaited: an import of this file by user code would wait for it for ever.
void main();
