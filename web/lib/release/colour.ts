export type Piece = { text: string; tone: "" | "k" | "st" | "n" | "f" | "cm" };

const pattern =
  /(\/\/.*$)|(`(?:[^`\\]|\\.)*`?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)|\b(\d[\d_]*(?:\.\d+)?)\b|\b(import|export|from|const|let|return|if|else|for|of|in|async|await|function|new|null|undefined|true|false|type|as)\b|([A-Za-z_$][\w$]*)(?=\(|`)/g;

/** A line of TypeScript for the eye: enough to read a diff by, no more. Lines stand alone, so a text over several lines is coloured line by line. */
export function coloured(line: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of line.matchAll(pattern)) {
    if (match.index > at) pieces.push({ text: line.slice(at, match.index), tone: "" });
    const [text, comment, string, number, keyword] = match;
    pieces.push({
      text,
      tone: comment ? "cm" : string ? "st" : number ? "n" : keyword ? "k" : "f",
    });
    at = match.index + text.length;
  }
  if (at < line.length) pieces.push({ text: line.slice(at), tone: "" });
  return pieces;
}
