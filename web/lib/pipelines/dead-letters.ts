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

export type ReasonGroup = { reason: string; stage: string; letters: DeadLetter[]; last: string };

/** Letters of one cause together, the largest group first. What varies between records (values, numbers) is left out of the cause. */
export function byReason(letters: readonly DeadLetter[]): ReasonGroup[] {
  const groups = new Map<string, ReasonGroup>();
  for (const letter of letters) {
    const key = `${letter.stage}\0${cause(letter.reason)}`;
    const group = groups.get(key) ?? {
      reason: letter.reason,
      stage: letter.stage,
      letters: [],
      last: letter.at,
    };
    group.letters.push(letter);
    if (letter.at > group.last) group.last = letter.at;
    groups.set(key, group);
  }
  return [...groups.values()].toSorted(
    (a, b) => b.letters.length - a.letters.length || (a.last < b.last ? 1 : -1),
  );
}

/** "Column `delay` is "12x"" and "Column `delay` is "N/A"" have one cause. Names between backticks stay. */
export function cause(reason: string): string {
  return reason
    .replaceAll(/"(?:[^"\\]|\\.)*"|“[^”]*”|'[^']*'/g, "…")
    .replaceAll(/(?<![\w`])-?\d+(?:\.\d+)?(?![\w`])/g, "#");
}
