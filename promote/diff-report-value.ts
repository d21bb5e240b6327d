/**
 * Control characters, line ends, and what turns the direction of text around: a terminal or a page would obey them, a reader would not see them.
 */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|\p{Cs}/gu;
const known: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text with everything unseen in it written out, so that it stays on its line and is what it looks like. */
export function visible(text: string): string {
  return text.replace(unseen, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return known[found] ?? (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}

/** A value as JSON carries it, for people: NULL, text in quotes only where it would be taken for something else. */
export function valueText(value: unknown, mostLetters: number): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value !== "string") return cut(visible(JSON.stringify(value)), mostLetters);
  const isPlain = value !== "" && value === value.trim() && value !== "NULL";
  return cut(visible(isPlain ? value : `"${value}"`), mostLetters);
}

/** The beginning of a text that is too long. */
function cut(text: string, mostLetters: number): string {
  if (text.length <= mostLetters) return text;
  // Not between the two halves of a letter beyond the first plane.
  const end = mostLetters - 1;
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(end - 1));
  return `${text.slice(0, isHalf ? end - 1 : end)}…`;
}
