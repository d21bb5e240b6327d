/** A dead letter as the API sends it: text where the bytes are text, base64 where they are not. */
export type DeadLetter = {
  encoding: "utf-8" | "base64";
  topic: string;
  partition: number;
  offset: number;
  stage: string;
  reason: string;
  release: string;
  key: string | null;
  value: string | null;
  headers: { key: string; value: string }[];
  timestampMs: number;
  at: string;
};

export type LetterPlace = { topic: string; partition: number; offset: number };

/** A letter's place as the address bar has it: `flights/2/1234`. */
export function placeText({ topic, partition, offset }: LetterPlace): string {
  return `${topic}/${partition}/${offset}`;
}

export function parsePlace(text: string | null): LetterPlace | undefined {
  const [, topic, partition, offset] = /^([\w.-]+)\/(\d{1,7})\/(\d{1,15})$/.exec(text ?? "") ?? [];
  if (topic === undefined) return undefined;
  return { topic, partition: Number(partition), offset: Number(offset) };
}

export function stageName(stage: string): string {
  return stage.startsWith("sink:") ? `sink ${stage.slice(5)}` : stage;
}

export type WayOut = { what: string; how: string[]; link?: "release" | "sources" };

/** What a letter's stage says of the record, and what somebody can do about it. Every way ends in a replay. */
export function wayOut(stage: string): WayOut {
  if (stage === "decode")
    return {
      what: "The record is not what its source's contract says.",
      how: [
        "If the record is wrong: fix what produces it, and have it sent again. A newer record of the same identity settles the matter by itself.",
        "If the record is right: correct the column in the source's file, freeze a snapshot, and promote a release built on it; then replay.",
      ],
      link: "sources",
    };
  if (stage === "validate")
    return {
      what: "The record breaks an expectation of its source, which keeps such records from the sinks.",
      how: [
        "If the record is wrong: fix the data where it comes from, and have it sent again.",
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
