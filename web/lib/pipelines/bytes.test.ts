import { expect, test } from "vitest";
import { writtenBytes } from "#web/api/written-bytes.ts";
import { beginning, bytesOf, shownBytes, shownLine } from "./bytes.ts";

const text = (written: string) => writtenBytes(new TextEncoder().encode(written));

test("UTF-8 is shown as text, anything else in hexadecimal", () => {
  expect(shownBytes(text('{"delay":"N/A","city":"Köln"}'))).toEqual({
    kind: "text",
    text: '{"delay":"N/A","city":"Köln"}',
    shownBytes: 30,
  });
  const hex = { kind: "hex", text: `0000  ff 00 10${" ".repeat(41)}···`, shownBytes: 3 };
  expect(shownBytes(writtenBytes(new Uint8Array([0xff, 0x00, 0x10])))).toEqual(hex);
  expect(shownBytes(text("a\u0000b")).kind).toBe("hex");
});

test("what turns text around or cannot be seen is written out, and counts as the bytes that it is", () => {
  expect(shownBytes(text('{"a":"\u202eevil\u009b",\n\t"b":1}'))).toEqual({
    kind: "text",
    text: '{"a":"\\u202eevil\\x9b",\n\t"b":1}',
    shownBytes: 25,
  });
  expect(shownLine(text("\u202ekey"))).toBe("\\u202ekey");
});

test("of very many bytes the beginning is shown, and it says how many those are", () => {
  const binary = shownBytes(writtenBytes(new Uint8Array(5_000).fill(0xff)));
  expect([binary.shownBytes, binary.text.split("\n").length]).toEqual([4_096, 256]);
  const long = shownBytes(text("ö".repeat(300_000)));
  expect([long.shownBytes, long.text.length]).toEqual([400_000, 200_000]);
});

test("a text is not cut inside a character", () => {
  expect(beginning("a😀b", 2)).toBe("a");
  expect(beginning("a😀b", 3)).toBe("a😀");
});

test("bytes come back as they were, whichever way they travelled", () => {
  for (const bytes of [new Uint8Array([0x7b, 0x7d]), new Uint8Array([0xff, 0x00])])
    expect(bytesOf(writtenBytes(bytes))).toEqual(bytes);
});

test.each([
  [text("2001-04-01\n AA"), "2001-04-01 AA"],
  [writtenBytes(new Uint8Array([0xff, 0x01])), "ff 01"],
])("a list shows a key on one line %#", (written, line) => {
  expect(shownLine(written)).toBe(line);
});
