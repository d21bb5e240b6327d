import type { Problem } from "#snapshots/problem.ts";
import type { Stage } from "../dead-letters/dead-letters.ts";

/**
 * A dead letter's reason quotes the record. A log goes to more places than the record may, so it says only where it failed: names of the
 * contract and places in the code, which are the release's. The whole reason is on the pipeline's page, beside the record.
 */
export function reasonWithoutValues(stage: Stage, reason: string): string {
  switch (stage) {
    case "decode":
      return columnOf(reason);
    case "validate": {
      const [, name] = /^expectation "(.*?)": /s.exec(reason) ?? [];
      return name === undefined ? "an expectation is not met" : `expectation "${name}" is not met`;
    }
    case "transform": {
      const place = /\(line (\d{1,6})(?:, column (\d{1,6}))?(?: of the bundle)?\)$/.exec(reason);
      return `the transform failed${place === null ? "" : ` ${place[0]}`}`;
    }
    default:
      return `refused by the sink ${stage.slice("sink:".length)}`;
  }
}

/** A reason begins with the words of the decoder; a column's name stands in backticks right after them. */
function columnOf(reason: string): string {
  const [, of = "", name] = /^(column|the key's) `((?:[^`])*)` /.exec(reason) ?? [];
  if (name !== undefined) return `${of} \`${name}\` cannot be read`;
  return /^the key\b/.test(reason) ? "the key cannot be read" : "the value cannot be read";
}

/** Their messages quote a record, or what the release's code or an unforeseen error said, and that may be anything. */
const QUOTING = new Set(["expectation-failed", "guest-keeps-failing", "pipeline-crashed"]);

export function messageWithoutValues({ code, message }: Problem): string {
  if (!QUOTING.has(code)) return message;
  const end = message.search(/[:.] |$/);
  return `${message.slice(0, end)}. The rest may quote a record: see the pipeline's page.`;
}
