import type { Dismissal, Shelf } from "#promote/dead-letter-groups.ts";
import type { LetterPlace, Stage } from "#promote/sync/dead-letters/dead-letters.ts";
import type { WrittenBytes } from "#web/api/written-bytes.ts";

export type { LetterPlace, Shelf };

/** A dead letter as a list has it: of key and value the beginning. */
export type ListedLetter = LetterPlace & {
  reason: string;
  release: string;
  key: WrittenBytes | null;
  value: WrittenBytes | null;
  timestampMs: number;
  at: string;
};

/** A dead letter with every byte of its record. */
export type DeadLetter = ListedLetter & {
  headers: { key: string; value: WrittenBytes }[];
  dismissal?: Dismissal;
  /** Other stages that refused the same record, each with a letter of its own. */
  others: { stage: Stage; group: string }[];
};

/** A letter's place as the address bar has it: `flights/2/1234/sink:table/PXlj…`, the last of them the making of the topic. */
export function placeText({ topic, partition, offset, stage, incarnation }: LetterPlace): string {
  return [topic, partition, offset, stage, incarnation].join("/");
}

const PLACE = /^([\w.-]+)\/(\d{1,7})\/(\d{1,15})\/(decode|validate|transform|sink:[^/]+)\/([^/]*)$/;

export function parsePlace(text: string | null): LetterPlace | undefined {
  const [, topic, partition, offset, stage, incarnation] = PLACE.exec(text ?? "") ?? [];
  if (topic === undefined || stage === undefined || incarnation === undefined) return undefined;
  // The pattern has the stages.
  return {
    topic,
    incarnation,
    partition: Number(partition),
    offset: Number(offset),
    stage: stage as Stage,
  };
}

export function stageName(stage: string): string {
  return stage.startsWith("sink:") ? `sink ${stage.slice(5)}` : stage;
}

export type WayOut = { what: string; how: string[]; link?: "release" | "sources" };

/** What a letter's stage says of the record, and what somebody can do about it. Every way ends in a replay, or in a dismissal. */
export function wayOut(stage: string): WayOut {
  if (stage === "decode")
    return {
      what: "The record is not what its source's contract says.",
      how: [
        "If the record is wrong: fix what produces it, and have it sent again. The newer record is written like any other; this letter stays until it is dismissed.",
        "If the record is right: correct the column in the source's file, freeze a snapshot, and promote a release built on it; then replay.",
      ],
      link: "sources",
    };
  if (stage === "validate")
    return {
      what: "The record breaks an expectation of its source, which keeps such records from the sinks.",
      how: [
        "If the record is wrong: fix the data where it comes from, and have it sent again; then dismiss this letter.",
        "If the rule is too strict: relax the expectation in the source's file, or let it `flag` in place of `deadLetter`, and commit; then replay.",
      ],
      link: "sources",
    };
  if (stage === "transform")
    return {
      what: "The transform threw on this record.",
      how: [
        "Try it in the notebook: fix the transform at the line the reason names, build a release and promote it; then replay. The release that runs then handles the record.",
      ],
      link: "release",
    };
  const sink = stageName(stage);
  return {
    what: `The ${sink} refused the row. What other sinks took, they keep.`,
    how: [
      "If the value is out of what the column can hold: bring it in range in the transform, and promote the release; then replay.",
      `If the ${sink} is at fault (a mapping or a table altered by hand): put it right there; then replay.`,
    ],
    link: "release",
  };
}
