import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Expectation } from "#snapshots/stream-settings.ts";
import type { Column } from "#snapshots/table.ts";
import { withoutRows, type Decoded } from "../decode/decode.ts";
import { typedColumns, type TypedColumn } from "../identity.ts";
import type { Batch, Check } from "./check.ts";
import { uniqueCheck } from "./unique-check.ts";
import {
  freshnessCheck,
  notNullCheck,
  patternCheck,
  rangeCheck,
  setCheck,
} from "./value-checks.ts";
import { openVolume, type MinuteCount, type VolumeTally } from "./volume.ts";

/** What one batch adds to an expectation's history in one minute. */
export type Tally = {
  expectation: string;
  minute: number;
  checked: number;
  failed: number;
  example?: string;
  /** The rule asks for more than could be remembered: doubles may have been missed. */
  isCutShort?: boolean;
};

export type Judgement = {
  /** The batch without the rows that expectations of severity `deadLetter` refused; those are among its failures, at stage `validate`. */
  decoded: Decoded;
  tallies: Tally[];
  /** An expectation of severity `halt` is not met: nothing of the batch may be written. */
  halt?: Problem;
};

/** A source's expectations, opened against one input contract. What they remember belongs to one reader of the topic. */
export type Expectations = {
  judge(batch: Batch): Judgement;
  /** Records that came before and are handled again: by their values alone, whatever freshness, uniqueness and volume said of them then. */
  judgeAgain(batch: Batch): Pick<Judgement, "decoded" | "halt">;
};

/** The history of a volume expectation, by name. */
export type ReadMinutes = (expectation: string) => readonly MinuteCount[];

type Rule = {
  expectation: Expectation;
  check?: Check;
  volume?: (batch: Batch) => VolumeTally[];
};

const MINUTE_MS = 60_000;

/**
 * Every rule judges every decoded row, whatever the others say of it: so an expectation's numbers do not depend on its
 * neighbours. What did not decode, and tombstones, have no columns to be judged by; volume counts them as records.
 */
export function openExpectations(
  expectations: readonly Expectation[],
  input: readonly Column[],
  readMinutes: ReadMinutes,
): Result<Expectations> {
  const columns = typedColumns(input);
  if (!columns.ok) return columns;
  const rules: Rule[] = [];
  for (const expectation of expectations) {
    const rule = compile(expectation, columns.value, readMinutes);
    if (!rule.ok) {
      const { problem } = rule;
      return fail({ ...problem, message: `Expectation "${expectation.name}": ${problem.message}` });
    }
    rules.push(rule.value);
  }
  const ofValues = rules.filter(({ expectation }) => isOfValues(expectation));
  return ok({
    judge: (batch) => judge(rules, batch),
    judgeAgain: (batch) => judge(ofValues, batch),
  });
}

function isOfValues(expectation: Expectation): boolean {
  return !["freshness", "unique", "volume"].some((kind) => kind in expectation);
}

function judge(rules: readonly Rule[], batch: Batch): Judgement {
  const { decoded, records, nowMs } = batch;
  const minute = Math.floor(nowMs / MINUTE_MS);
  const refused = new Map<number, string>();
  const tallies: Tally[] = [];
  let halt: Problem | undefined;

  for (const { expectation, check, volume } of rules) {
    const { name, severity } = expectation;
    for (const tally of volume?.(batch) ?? []) {
      tallies.push({ expectation: name, ...tally });
      if (severity === "halt" && tally.example !== undefined)
        halt ??= halted(name, tally.example, undefined);
    }
    if (check === undefined || decoded.rows === 0) continue;
    const judgeRow = check.bind(batch);
    let failed = 0;
    let example: string | undefined;
    for (let row = 0; row < decoded.rows; row++) {
      const reason = judgeRow(row);
      if (reason === undefined) continue;
      failed++;
      const offset = records[decoded.recordOfRow[row] ?? 0]?.offset;
      example ??= `offset ${offset}: ${reason}`;
      if (severity === "halt") halt ??= halted(name, reason, offset);
      if (severity === "deadLetter" && !refused.has(row))
        refused.set(row, `expectation "${name}": ${reason}`);
    }
    tallies.push({
      expectation: name,
      minute,
      checked: decoded.rows,
      failed,
      ...(example === undefined ? {} : { example }),
      ...(check.isCutShort?.() === true ? { isCutShort: true } : {}),
    });
  }
  const judged = { decoded: withoutRows(decoded, refused), tallies };
  return halt === undefined ? judged : { ...judged, halt };
}

function halted(name: string, reason: string, offset: number | undefined): Problem {
  return {
    code: "expectation-failed",
    message: `The expectation "${name}" is not met: ${reason}. Nothing of its batch was written.`,
    hint: "Correct the data at its source, or the expectation in the source's file, then resume the pipeline: it goes on at this record.",
    ...(offset === undefined ? {} : { at: { offset } }),
  };
}

function compile(
  expectation: Expectation,
  columns: readonly TypedColumn[],
  readMinutes: ReadMinutes,
): Result<Rule> {
  if ("volume" in expectation) {
    const { lower, upper } = expectation.volume;
    const rule = { lower, ...(upper === undefined ? {} : { upper }) };
    return ok({ expectation, volume: openVolume(rule, () => readMinutes(expectation.name)) });
  }
  const check = compileCheck(expectation, columns);
  return check.ok ? ok({ expectation, check: check.value }) : check;
}

function compileCheck(
  expectation: Exclude<Expectation, { volume: unknown }>,
  columns: readonly TypedColumn[],
): Result<Check> {
  if ("freshness" in expectation) return ok(freshnessCheck(expectation.freshness.maxAge));
  const named = namesIn(expectation);
  const found = named.map((name) => ({ name, at: columns.findIndex((c) => c.name === name) }));
  const missing = found.find(({ at }) => at < 0);
  if (missing !== undefined) return absent(missing.name, columns);
  if ("notNull" in expectation) return ok(notNullCheck(found));
  if ("unique" in expectation) return ok(uniqueCheck(found, expectation.unique.within));
  const [{ name, at } = { name: "", at: -1 }] = found;
  const column = columns[at];
  if (column === undefined) return absent(name, columns);
  if ("range" in expectation) return rangeCheck(column, at, expectation.range);
  if ("set" in expectation) return setCheck(column, at, expectation.set.values);
  return patternCheck(column, at, expectation.pattern.regex);
}

function namesIn(
  expectation: Exclude<Expectation, { volume: unknown } | { freshness: unknown }>,
): string[] {
  if ("notNull" in expectation) return expectation.notNull;
  if ("unique" in expectation) return expectation.unique.columns;
  if ("range" in expectation) return [expectation.range.column];
  return ["set" in expectation ? expectation.set.column : expectation.pattern.column];
}

function absent(name: string, columns: readonly TypedColumn[]): Result<never> {
  return fail({
    code: "expectation-misfit",
    message: `There is no column \`${name}\` in the input contract.`,
    hint: `There are: ${columns.map((column) => column.name).join(", ")}.`,
  });
}
