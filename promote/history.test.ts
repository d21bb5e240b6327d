import { expect, test } from "vitest";
import { previousRelease, stretches, type Asked } from "./history.ts";

const asked = (...releases: (string | null)[]): Asked[] =>
  releases.map((release, index) => ({
    release,
    at: `t${index}`,
    by: "Ada",
    commit: `c${index}`,
    subject: "",
  }));

test.each<[string, Asked[], [release: string, from: string, until: string | null, kind: string][]]>(
  [
    ["nothing was ever asked for", asked(null, null), []],
    ["one release since its promotion", asked(null, "a", "a"), [["a", "t1", null, "promoted"]]],
    [
      "a roll-back is a stretch of its own",
      asked("a", "b", "a"),
      [
        ["a", "t2", null, "rolled back"],
        ["b", "t1", "t2", "promoted"],
        ["a", "t0", "t1", "promoted"],
      ],
    ],
    ["taken out", asked("a", null), [["a", "t0", "t1", "promoted"]]],
  ],
)("%s", (_, commits, expected) => {
  const entries = stretches(commits);
  expect(entries.map(({ release, from, until, kind }) => [release, from, until, kind])).toEqual(
    expected,
  );
});

test.each<[string, Asked[], string | undefined]>([
  ["before the second release the first ran", asked("a", "b"), "a"],
  ["a roll-back can be taken back", asked("a", "b", "a"), "b"],
  ["the first release has none before it", asked(null, "a"), undefined],
  ["what was taken out can come back", asked("a", null), "a"],
])("%s", (_, commits, expected) => {
  expect(previousRelease(stretches(commits))).toBe(expected);
});
