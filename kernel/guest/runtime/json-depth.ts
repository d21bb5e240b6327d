/**
 * Whether JSON nests deeper than `most`. Whoever reads JSON must ask first: parsing takes any depth, but every function that then
 * walks the value calls itself once a level, and ends the process it runs in when the stack is full.
 */
export function nestsDeeper(json: string, most: number): boolean {
  let depth = 0;
  let isText = false;
  for (let i = 0; i < json.length; i += 1) {
    const code = json.charCodeAt(i);
    if (isText) {
      if (code === backslash) i += 1;
      else if (code === quote) isText = false;
    } else if (code === quote) isText = true;
    else if (code === openBrace || code === openBracket) {
      depth += 1;
      if (depth > most) return true;
    } else if (code === closeBrace || code === closeBracket) depth -= 1;
  }
  return false;
}

const [quote, backslash, openBrace, closeBrace, openBracket, closeBracket] = [
  34, 92, 123, 125, 91, 93,
];
