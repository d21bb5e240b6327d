/** A reason with what varies between records taken out: `texts` stand around `values`. Reasons of one cause have the same texts. */
export type Folded = { cause: string; texts: string[]; values: string[] };

/**
 * Quoted values and numbers vary. A name between backticks and a place in the code do not: another line is another cause. Elasticsearch names the
 * document, and after the value says at length what it is not.
 */
const TOKENS =
  /(?<=\bwith id )'.*?'(?!\w)|(?<=\bof field's value: )'[^]*|`[^`]*`|\((?:[^()]*, )?line \d+(?:, column \d+)?[^()]*\)|"(?:[^"\\]|\\.)*"|“[^”]*”|(?<![\w`.])-?\d+(?:[.,:T-]\d+)*(?:e[+-]?\d+)?(?![\w`])/gi;

/** An expectation's name is quoted like a value, and is none. */
const EXPECTATION = /^expectation ".*?": /s;

/** `"N/A" is not BIGINT` and `"12x" is not BIGINT` have one cause. */
export function foldReason(reason: string): Folded {
  const head = EXPECTATION.exec(reason)?.[0] ?? "";
  const texts: string[] = [];
  const values: string[] = [];
  let from = 0;
  let text = head;
  const rest = reason.slice(head.length);
  for (const match of rest.matchAll(TOKENS)) {
    const [token] = match;
    text += rest.slice(from, match.index);
    from = match.index + token.length;
    if (token.startsWith("`") || token.startsWith("(")) {
      text += token;
      continue;
    }
    texts.push(text);
    values.push(token);
    text = "";
  }
  texts.push(text + rest.slice(from));
  return { cause: texts.join("\0"), texts, values };
}

/** The reason of a whole group: a value that all its letters share stands as it is, one that differs is an ellipsis. */
export function sharedReason({ texts, values }: Folded, differs: ReadonlySet<number>): string {
  return texts
    .map((text, i) => {
      const value = values[i];
      return text + (value === undefined ? "" : differs.has(i) ? "…" : value);
    })
    .join("");
}
