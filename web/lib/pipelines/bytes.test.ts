import { expect, test } from "vitest";
import { hexLines, recordBytes, shownBytes } from "./bytes.ts";

test("UTF-8 is shown as text, anything else in hexadecimal, a tombstone in words", () => {
  expect(shownBytes(new TextEncoder().encode('{"delay":"N/A","city":"Köln"}'))).toEqual({
    kind: "text",
    text: '{"delay":"N/A","city":"Köln"}',
  });
  expect(shownBytes(new Uint8Array([0xff, 0x00, 0x10]))).toEqual({
    kind: "hex",
    text: `0000  ff 00 10${" ".repeat(41)}···`,
  });
  expect(shownBytes(null).kind).toBe("tombstone");
});

test("long bytes say how many there are", () => {
  expect(hexLines(new Uint8Array(5_000)).split("\n").at(-1)).toBe("… 5000 bytes in all");
});

test("bytes travel as text where they are text, else as base64", () => {
  expect(recordBytes("e30=", "base64")).toEqual(new Uint8Array([0x7b, 0x7d]));
  expect(recordBytes("{}", "utf-8")).toEqual(new Uint8Array([0x7b, 0x7d]));
  expect(recordBytes(null, "utf-8")).toBeNull();
});
