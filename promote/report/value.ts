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

/** The same where text may have several lines: their ends and tabs stay. */
export function visibleLines(text: string): string {
  return text.replace(/[^\n\t]+/g, visible);
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}

/** A value as JSON carries it, for people: NULL, text in quotes only where it would be taken for something else. */
export function valueText(value: unknown, mostLetters: number): string {
  return cut(whole(value), mostLetters);
}

/** How much of what two long values share is shown before they part. */
const sharedLetters = 10;

/** Two values that differ, so that they look different: what long ones begin with alike is left out. */
export function valuePair(before: unknown, after: unknown, mostLetters: number): [string, string] {
  const [a, b] = [whole(before), whole(after)];
  if (a.length <= mostLetters && b.length <= mostLetters) return [a, b];
  let same = 0;
  while (same < a.length && a.charAt(same) === b.charAt(same)) same += 1;
  const from = same - sharedLetters;
  if (from <= 1) return [cut(a, mostLetters), cut(b, mostLetters)];
  const start = /[\udc00-\udfff]/.test(a.charAt(from)) ? from + 1 : from;
  return [cut(`…${a.slice(start)}`, mostLetters), cut(`…${b.slice(start)}`, mostLetters)];
}

/** A name, cut in the middle where it is too long: names that begin alike stay apart. */
export function nameText(name: string, mostLetters: number): string {
  const letters = Array.from(visible(name));
  if (letters.length <= mostLetters) return letters.join("");
  const head = Math.ceil((mostLetters - 1) / 2);
  const tail = mostLetters - 1 - head;
  return `${letters.slice(0, head).join("")}…${letters.slice(letters.length - tail).join("")}`;
}

function whole(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value !== "string") return visible(JSON.stringify(value));
  const isPlain = value !== "" && value === value.trim() && value !== "NULL";
  return visible(isPlain ? value : `"${value}"`);
}

/** The beginning of a text that is too long. */
function cut(text: string, mostLetters: number): string {
  if (text.length <= mostLetters) return text;
  // Not between the two halves of a letter beyond the first plane.
  const end = mostLetters - 1;
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(end - 1));
  return `${text.slice(0, isHalf ? end - 1 : end)}…`;
}
