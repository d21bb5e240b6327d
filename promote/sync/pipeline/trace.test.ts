import { describe, expect, test } from "vitest";
import type { Header } from "../ports.ts";
import { carriedTrace, parseTraceparent, traceOf } from "./trace.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const VALID = `00-${ID}-${PARENT}-01`;

const header = (key: string, value: string): Header => ({ key, value: Buffer.from(value) });

describe("a traceparent", () => {
  test.each<[string, string, boolean]>([
    ["of version 00", VALID, true],
    ["that is not sampled", `00-${ID}-${PARENT}-02`, false],
    ["of a version to come", `cc-${ID}-${PARENT}-01`, true],
    ["of a version to come, with more to it", `cc-${ID}-${PARENT}-01-what-the-future-holds`, true],
  ])("%s is understood", (_, text, isSampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: ID, parentId: PARENT, isSampled });
  });

  test.each<[string, string]>([
    ["of version ff", `ff-${ID}-${PARENT}-01`],
    ["of version 00 with more to it", `${VALID}-more`],
    ["of zeros for a trace", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["of zeros for a parent", `00-${ID}-${"0".repeat(16)}-01`],
    ["in capitals", VALID.toUpperCase()],
    ["cut short", VALID.slice(0, -1)],
    ["with a line after it", `${VALID}\n`],
    ["of nothing", ""],
  ])("%s is none", (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

describe("a record's trace", () => {
  const parent = header("traceparent", VALID);
  const state = header("tracestate", "vendor=1");
  const other = header("content-type", "json");

  test.each<[string, Header[], Header[]]>([
    ["is carried on as it came", [other, parent, state], [parent, state]],
    ["keeps states that come in several headers", [state, parent, state], [parent, state, state]],
    [
      "keeps its name as it was written",
      [header("TraceParent", VALID)],
      [header("TraceParent", VALID)],
    ],
    ["without a traceparent is none, whatever its state", [state, other], []],
    ["with two traceparents is none", [parent, parent, state], []],
    ["with a broken traceparent is none", [header("traceparent", "00-x"), state], []],
    [
      "leaves a state behind that is too long",
      [parent, header("tracestate", "v".repeat(9000))],
      [parent],
    ],
  ])("%s", (_, headers, carried) => {
    expect(carriedTrace(headers)).toEqual(carried);
  });

  test("says its id", () => {
    expect(traceOf([other, parent])?.traceId).toBe(ID);
    expect(traceOf([other])).toBeUndefined();
  });
});
