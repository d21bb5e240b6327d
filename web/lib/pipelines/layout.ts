/** Indentation of more levels than this says nothing more, and would make a deep value many times as long. */
const MOST_INDENT = 100;

/** JSON laid out a member a line, character by character: no number or text is read and written back, so none can change. */
export function laidOut(json: string): string | undefined {
  try {
    JSON.parse(json);
  } catch {
    return undefined;
  }
  let out = "";
  let before = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(Math.min(depth, MOST_INDENT))}`;
  const isOpening = (token: string) => token === "{" || token === "[";
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[^\s"{}[\],:]+|[{}[\],:]/g)) {
    if (token === "}" || token === "]") {
      depth -= 1;
      if (!isOpening(before)) out += line();
    } else if (isOpening(before) || before === ",") out += line();
    if (isOpening(token)) depth += 1;
    out += token === ":" ? ": " : token;
    before = token;
  }
  return out;
}
