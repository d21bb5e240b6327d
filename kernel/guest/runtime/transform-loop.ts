import { literalKey } from "./row-maker.ts";

/** What the loop tells: results go to `columns`, `inputs` and `parts`; the rest is counted and reported by row. */
export type LoopSink = {
  columns: unknown[][];
  inputs: Int32Array;
  parts: Int32Array;
  /** Rows written so far. */
  length: number;
  filtered: number;
  /** Whether a record is not to be run at all. */
  isRefused(row: number): boolean;
  threw(row: number, error: unknown): void;
  /** Takes a result that is no plain record of the contract: null, an array, or something wrong. */
  other(row: number, result: unknown): void;
};

export type TransformLoop = (
  count: number,
  input: readonly unknown[][],
  apply: (row: unknown, lookups: unknown) => unknown,
  lookups: unknown,
  sink: LoopSink,
) => void;

/**
 * Generated code that makes each row as an object literal, calls the function and takes the result's columns apart.
 * A result with other properties than the contract's goes to `sink.other`.
 */
export function transformLoop(
  inputNames: readonly string[],
  outputNames: readonly string[],
): TransformLoop {
  const inputs = inputNames.map((_, i) => `const i${i} = input[${i}];`);
  const outputs = outputNames.map((_, i) => `const o${i} = sink.columns[${i}];`);
  const literal = inputNames.map((name, i) => `${literalKey(name)}: i${i}[row]`);
  const values = outputNames.map((name, i) => `const v${i} = out[${JSON.stringify(name)}];`);
  const stores = outputNames.map((_, i) => `o${i}[at] = v${i};`);
  const anyMissing = outputNames.map((_, i) => `v${i} === undefined`).join(" || ");
  const body = `"use strict";
    ${inputs.join("\n    ")}
    ${outputs.join("\n    ")}
    const { inputs, parts } = sink;
    let at = sink.length;
    for (let row = 0; row < count; row += 1) {
      if (hasRefusals && sink.isRefused(row)) continue;
      // Getters and proxies run user code while their result is taken apart: that too is the record's own failure.
      try {
        const out = apply({ ${literal.join(", ")} }, lookups);
        if (out === null || out === undefined) {
          sink.filtered += 1;
          continue;
        }
        if (typeof out === "object" && !isArray(out)) {
          let keys = 0;
          for (const key in out) keys += 1;
          if (keys === ${outputNames.length}) {
            ${values.join("\n            ")}
            if (!(${anyMissing || "false"})) {
              ${stores.join("\n              ")}
              inputs[at] = row;
              parts[at] = 0;
              at += 1;
              continue;
            }
          }
        }
        sink.length = at;
        sink.other(row, out);
        at = sink.length;
      } catch (error) {
        sink.threw(row, error);
      }
    }
    sink.length = at;`;
  // oxlint-disable-next-line typescript/no-implied-eval -- names are escaped as JSON
  const make = new Function(
    "isArray",
    `return function (count, input, apply, lookups, sink, hasRefusals) { ${body} };`,
  ) as (isArray: unknown) => (...args: unknown[]) => void;
  const loop = make(Array.isArray);
  return (count, input, apply, lookups, sink) =>
    loop(count, input, apply, lookups, sink, sink.isRefused !== neverRefused);
}

export const neverRefused = (): boolean => false;
