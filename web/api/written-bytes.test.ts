import { expect, test } from "vitest";
import { writtenBytes } from "./written-bytes.ts";

const text = (written: string) => new TextEncoder().encode(written);

test("bytes are written as text where they are UTF-8, else in base64, and come back as they were", () => {
  expect(writtenBytes(text("Köln"))).toEqual({
    encoding: "utf-8",
    text: "Köln",
    sizeBytes: 5,
    isCut: false,
  });
  const bytes = new Uint8Array([0xff, 0x00, 0xc3]);
  const written = writtenBytes(bytes);
  expect(written.encoding).toBe("base64");
  expect(new Uint8Array(Buffer.from(written.text, "base64"))).toEqual(bytes);
});

test.each(["ö", "€", "😀"])("a beginning that ends inside %s is text before it", (character) => {
  const whole = text(`ab${character}c`);
  for (let end = 3; end < whole.length - 1; end++)
    expect(writtenBytes(whole.subarray(0, end), whole.length)).toEqual({
      encoding: "utf-8",
      text: "ab",
      sizeBytes: whole.length,
      isCut: true,
    });
  expect(writtenBytes(whole.subarray(0, whole.length - 1), whole.length).text).toBe(
    `ab${character}`,
  );
});

test("what is whole and ends inside a character is no text", () => {
  expect(writtenBytes(text("abö").subarray(0, 3)).encoding).toBe("base64");
});
