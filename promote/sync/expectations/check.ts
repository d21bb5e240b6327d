import type { Decoded } from "../decode/decode.ts";
import type { Stretch } from "../order/epochs.ts";
import type { SourceRecord } from "../ports.ts";

/** What expectations are judged on: decoded columns, with the records the rows came from and when they arrived. */
export type Batch = {
  decoded: Decoded;
  records: readonly SourceRecord[];
  stretch: Stretch;
  nowMs: number;
};

/** Judges one row: why it does not meet the expectation, or undefined. */
export type JudgeRow = (row: number) => string | undefined;

/** A compiled rule. Rows of a batch are judged in order, each once. */
export type Check = {
  bind(batch: Batch): JudgeRow;
  /** Whether what it remembers no longer covers what its rule asks for. */
  isCutShort?: () => boolean;
};
