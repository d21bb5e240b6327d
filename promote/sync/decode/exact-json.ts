import type { SqlType } from "#snapshots/types.ts";

declare global {
  // ECMAScript's "JSON.parse source text access", which Node has and TypeScript's library does not yet.
  interface JSON {
    rawJSON(text: string): object;
    isRawJSON(value: unknown): value is { rawJSON: string };
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
  }
}

/** Whether JSON may hold a number that `JSON.parse` changes: of 16 digits or more, of an exponent of three, or −0. Dates and UUIDs do not look like it. */
export function mayRound(text: string): boolean {
  return /(?:^|[:,[\s])(?:-0|-?\d[\d.]{15}|-?\d[\d.]*[eE][+-]?\d{3})/.test(text);
}

/** Whether a column is JSON, or holds some. */
export function holdsJson(type: SqlType): boolean {
  switch (type.kind) {
    case "scalar":
      return type.name === "JSON";
    case "list":
      return holdsJson(type.item);
    case "struct":
      return type.fields.some((field) => holdsJson(field.type));
    case "map":
      return holdsJson(type.key) || holdsJson(type.value);
    case "decimal":
    case "enum":
      return false;
  }
}

/** Parsed so that `JSON.stringify` gives every number back with the value it has in the text, whatever floating point makes of it. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && !isSame(source, JSON.stringify(value))
      ? JSON.rawJSON(source)
      : value,
  );
}

function isSame(one: string, other: string): boolean {
  return one === other || canonical(one) === canonical(other);
}

/** A number's sign, its digits without zeros at either end, and the power of ten of the last. */
function canonical(number: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return `${sign}0`;
  const power = BigInt(exponent) - BigInt(fraction.length - (digits.length - significant.length));
  return `${sign}${significant}e${power}`;
}
