import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Expectation } from "#snapshots/stream-settings.ts";
import type { Column } from "#snapshots/table.ts";
import { withoutRows, type Decoded } from "../decode/decode.ts";
import type { Stretch } from "../order/epochs.ts";
import { typedColumns, type TypedColumn } from "../values/identity.ts";
import type { Batch, Check } from "./check.ts";
import type { CountedHalt } from "./halts.ts";
import { uniqueCheck } from "./unique-check.ts";
import {
  freshnessCheck,
  notNullCheck,
  patternCheck,
  rangeCheck,
  setCheck,
} from "./value-checks.ts";
import { countMinutes, MINUTE_MS, type VolumeRule } from "./volume.ts";

/** What one batch adds to an expectation's history in one minute. */
export type Tally = {
  expectation: string;
  minute: number;
  checked: number;
  failed: number;
  example?: string;
  /** Not all could be judged: `unique` could not remember enough, `volume` met records of no minute. */
  isCutShort?: boolean;
};

export type Judgement = {
  /** The batch without the rows that expectations of severity `deadLetter` refused; those are among its failures, at stage `validate`. */
  decoded: Decoded;
  tallies: Tally[];
  /** An expectation of severity `halt` is not met: nothing of the batch may be written. */
  halt?: Halt;
};

/** The first record that must not be passed, and the first expectation that says so. */
export type Halt = {
  problem: Problem;
  expectation: string;
  offset: number;
  /** Of arrival. */
  minute: number;
  example: string;
};

/** A source's expectations, opened against one input contract. What they remember belongs to one reader of the topic. */
export type Expectations = {
  judge(batch: Batch): Judgement;
  /** Records that came before and are handled again: by their values alone, whatever freshness, uniqueness and volume said of them then. */
  judgeAgain(batch: Batch): Pick<Judgement, "decoded" | "halt">;
  /** Counted by `judge`, and judged once a minute is over (closed-minutes.ts). */
  volumes: readonly VolumeRule[];
};

type Rule = {
  expectation: Expectation;
  /** None of a volume. */
  check?: Check;
  /** Records that are in its history already. */
  counted: ReadonlySet<string>;
};

/**
 * Every rule judges every decoded row, whatever the others say of it: so an expectation's numbers do not depend on its
 * neighbours. What did not decode, and tombstones, have no columns to be judged by; volume counts them as records. `halts`: what was counted when the
 * pipeline halted, and comes again.
 */
export function openExpectations(
  expectations: readonly Expectation[],
  input: readonly Column[],
  halts: readonly CountedHalt[] = [],
): Result<Expectations> {
  const columns = typedColumns(input);
  if (!columns.ok) return columns;
  const rules: Rule[] = [];
  for (const expectation of expectations) {
    const rule = compile(expectation, columns.value, halts);
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
    volumes: expectations.flatMap(volumeOf),
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
  let halt: (Halt & { row: number }) | undefined;

  for (const { expectation, check, counted } of rules) {
    const { name, severity } = expectation;
    if (check === undefined) tallies.push(...countedBy(name, batch));
    if (check === undefined || decoded.rows === 0) continue;
    const judgeRow = check.bind(batch);
    let checked = 0;
    let failed = 0;
    let example: string | undefined;
    for (let row = 0; row < decoded.rows; row++) {
      const reason = judgeRow(row);
      const offset = records[decoded.recordOfRow[row] ?? 0]?.offset ?? 0;
      const isNew = counted.size === 0 || !counted.has(placeOf(batch.stretch, offset));
      if (isNew) checked++;
      if (reason === undefined) continue;
      const told = `offset ${offset}: ${reason}`;
      if (isNew) {
        failed++;
        example ??= told;
      }
      if (severity === "halt" && (halt === undefined || row < halt.row)) {
        const problem = halted(name, reason, offset);
        halt = { problem, expectation: name, offset, minute, example: told, row };
      }
      if (severity === "deadLetter" && !refused.has(row))
        refused.set(row, `expectation "${name}": ${reason}`);
    }
    tallies.push({
      expectation: name,
      minute,
      checked,
      failed,
      ...(example === undefined ? {} : { example }),
      ...(check.isCutShort?.() === true ? { isCutShort: true } : {}),
    });
  }
  const judged = { decoded: withoutRows(decoded, refused), tallies };
  return halt === undefined ? judged : { ...judged, halt };
}

/** Records that have no minute are told of in the one in which they came. */
function countedBy(expectation: string, { records, nowMs }: Batch): Tally[] {
  const { counts, elsewhere } = countMinutes(records, nowMs);
  const minute = Math.floor(nowMs / MINUTE_MS);
  const tallies: Tally[] = counts.map((count) => ({ expectation, ...count, failed: 0 }));
  if (elsewhere !== undefined)
    tallies.push({
      expectation,
      minute,
      checked: 0,
      failed: 0,
      example: elsewhere,
      isCutShort: true,
    });
  return tallies;
}

function placeOf({ topic, incarnation, partition }: Stretch, offset: number): string {
  return `${topic}/${incarnation}/${partition}/${offset}`;
}

function halted(name: string, reason: string, offset: number): Problem {
  return {
    code: "expectation-failed",
    message: `The expectation "${name}" is not met: ${reason}. Nothing of its batch was written.`,
    hint: "Correct the data at its source, or the expectation in the source's file, then resume the pipeline: it goes on at this record.",
    at: { offset },
  };
}

function volumeOf({ name, severity, ...rule }: Expectation): VolumeRule[] {
  if (!("volume" in rule) || severity === "deadLetter") return [];
  const { lower, upper = Infinity } = rule.volume;
  return [{ expectation: name, severity, lower, upper }];
}

function compile(
  expectation: Expectation,
  columns: readonly TypedColumn[],
  halts: readonly CountedHalt[],
): Result<Rule> {
  const own = halts.filter((halt) => halt.expectation === expectation.name);
  const counted = new Set(own.map((halt) => placeOf(halt, halt.offset)));
  if ("volume" in expectation) return ok({ expectation, counted });
  const check = compileCheck(expectation, columns);
  return check.ok ? ok({ expectation, check: check.value, counted }) : check;
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
